using System.Buffers.Binary;
using System.Diagnostics;
using Google.Protobuf;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Spread;

/// <summary>
/// A machine's open poll, and when it last heard of something other than time. It walks through the fields of each frame and counts
/// what stands there, but builds no map of it: a thousand maps in one process measure the process.
/// </summary>
internal sealed class Listener(TestMachine machine) : IDisposable
{
    private HttpResponseMessage? _response;
    private Stream? _stream;
    private byte[] _frame = new byte[4096];
    private Heard? _last;

    /// <summary>Returns once the machine has its first map.</summary>
    public async Task StartAsync()
    {
        (_response, _stream) = await machine.OpenPollAsync();
        await ReadAsync(_stream);
        _ = ListenAsync(_stream);
    }

    /// <summary>What the machine heard last, once it has read what was so from a position on; null while it has not.</summary>
    public Heard? HeardOf(long position) => Volatile.Read(ref _last) is { } last && last.Position >= (ulong)position ? last : null;

    public void Dispose()
    {
        _stream?.Dispose();
        _response?.Dispose();
        machine.Dispose();
    }

    private async Task ListenAsync(Stream stream)
    {
        try
        {
            while (await ReadAsync(stream) is var length and > 0)
                if (Walk(_frame, length) is { } heard) Volatile.Write(ref _last, heard);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or HttpRequestException)
        {
            // The measurement is over.
        }
    }

    /// <returns>The length of the next frame; 0 at the end.</returns>
    private async ValueTask<int> ReadAsync(Stream stream)
    {
        if (await stream.ReadAtLeastAsync(_frame.AsMemory(0, NodeApi.FrameLengthBytes), NodeApi.FrameLengthBytes, throwOnEndOfStream: false) == 0) return 0;
        int length = (int)BinaryPrimitives.ReadUInt32BigEndian(_frame);
        if (_frame.Length < length) _frame = new byte[length];
        await stream.ReadExactlyAsync(_frame.AsMemory(0, length));
        return length;
    }

    /// <returns>What a delta that says something other than the time says; null of any other frame.</returns>
    private static Heard? Walk(byte[] frame, int length)
    {
        var input = new CodedInputStream(frame, 0, length);
        if (WireFormat.GetTagFieldNumber(input.ReadTag()) != MapFrame.DeltaFieldNumber) return null;
        Assert.Equal(input.ReadLength(), length - input.Position);
        var head = new LogHead();
        int upserts = 0, removals = 0, filters = 0;
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case Delta.HeadFieldNumber:
                    input.ReadMessage(head);
                    continue;
                case Delta.UpsertsFieldNumber: upserts++; break;
                case Delta.RemovalsFieldNumber: removals++; break;
                case Delta.FilterFieldNumber: filters++; break;
            }

            input.SkipLastField();
        }

        return upserts + removals + filters == 0 ? null : new Heard(head.Position, upserts, Stopwatch.GetTimestamp());
    }
}

/// <param name="Position">From which on what the frame says was so.</param>
/// <param name="Upserts">Peers in it.</param>
/// <param name="At">When it was read.</param>
internal sealed record Heard(ulong Position, int Upserts, long At);
