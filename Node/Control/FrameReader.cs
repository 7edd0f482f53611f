using System.Buffers.Binary;
using Google.Protobuf;
using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

public enum FrameOutcome
{
    /// <summary>A frame came.</summary>
    Frame,

    /// <summary>The coordinator ended the poll between two frames.</summary>
    End,

    /// <summary>The stream ended or broke inside a frame.</summary>
    Truncated,

    /// <summary>A frame announces more than <see cref="ControlLimits.MapFrameBytes"/>, or nothing.</summary>
    BadLength,

    /// <summary>The bytes are not a MapFrame.</summary>
    Malformed,

    /// <summary>Nothing came for <see cref="ControlLimits.PollSilence"/>.</summary>
    Silent,
}

/// <param name="Frame">Not null when the outcome is <see cref="FrameOutcome.Frame"/>.</param>
public readonly record struct FrameRead(FrameOutcome Outcome, MapFrame? Frame);

/// <summary>
/// Takes map frames off a stream: each a 4-byte big-endian length and that many bytes of MapFrame. Memory grows with what
/// has come, never with what a length announces. After any outcome but a frame the stream is of no more use.
/// </summary>
internal sealed class FrameReader(Stream stream, TimeProvider time)
{
    private const int FirstBuffer = 16 * 1024;
    private static readonly MessageParser<MapFrame> Parser = MapFrame.Parser.WithDiscardUnknownFields(true);

    private byte[] _buffer = new byte[FirstBuffer];

    /// <summary>Waits for the next frame. Throws only when <paramref name="cancel"/> says so.</summary>
    public async ValueTask<FrameRead> ReadAsync(CancellationToken cancel)
    {
        using var silence = new CancellationTokenSource(ControlLimits.PollSilence, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, silence.Token);
        try
        {
            int got = await FillAsync(0, NodeApi.FrameLengthBytes, both.Token).ConfigureAwait(false);
            if (got == 0) return new(FrameOutcome.End, null);
            if (got < NodeApi.FrameLengthBytes) return new(FrameOutcome.Truncated, null);
            uint length = BinaryPrimitives.ReadUInt32BigEndian(_buffer);
            if (length is 0 or > ControlLimits.MapFrameBytes) return new(FrameOutcome.BadLength, null);
            silence.CancelAfter(ControlLimits.PollSilence);
            if (await FillAsync(0, (int)length, both.Token).ConfigureAwait(false) < length) return new(FrameOutcome.Truncated, null);
            return Parse((int)length);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            // Without silence the HTTP stack itself gave the stream up.
            return new(silence.IsCancellationRequested ? FrameOutcome.Silent : FrameOutcome.Truncated, null);
        }
        catch (Exception e) when (e is IOException or HttpRequestException && !cancel.IsCancellationRequested)
        {
            return new(FrameOutcome.Truncated, null);
        }
        finally
        {
            // A big snapshot comes once; its buffer need not stay.
            if (_buffer.Length > 8 * FirstBuffer) _buffer = new byte[FirstBuffer];
        }
    }

    private FrameRead Parse(int length)
    {
        try
        {
            return new(FrameOutcome.Frame, Parser.ParseFrom(_buffer, 0, length));
        }
        catch (InvalidProtocolBufferException)
        {
            return new(FrameOutcome.Malformed, null);
        }
    }

    private async ValueTask<int> FillAsync(int have, int want, CancellationToken cancel)
    {
        while (have < want)
        {
            if (have == _buffer.Length) Array.Resize(ref _buffer, Math.Min(want, _buffer.Length * 2));
            int room = Math.Min(want, _buffer.Length) - have;
            int n = await stream.ReadAsync(_buffer.AsMemory(have, room), cancel).ConfigureAwait(false);
            if (n == 0) break;
            have += n;
        }
        return have;
    }
}
