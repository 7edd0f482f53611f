using System.Buffers.Binary;
using System.IO.Pipelines;
using Google.Protobuf;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Map;

/// <summary>
/// Writes map frames to a poll's answer, piece by piece, and waits for the reader after every few: what a stalled poll holds
/// of encoded bytes is a chunk here and <see cref="ControlLimits.StalledPollBytes"/> in the server, however large its view.
/// </summary>
internal sealed class FrameWriter(PipeWriter output, TimeProvider clock)
{
    private const int ChunkBytes = 16 * 1024;
    private const int MaxVarintBytes = 5;

    private long _waitingSince = -1;
    private Memory<byte> _block;
    private int _inBlock;
    private int _unflushed;

    /// <summary>For how long the reader has taken nothing; null when nothing waits. Any thread.</summary>
    public TimeSpan? StalledFor =>
        Interlocked.Read(ref _waitingSince) is >= 0 and var since ? clock.GetElapsedTime(since) : null;

    /// <summary>Writes a frame of small size. False when the reader is gone.</summary>
    public ValueTask<bool> WriteAsync(MapFrame frame)
    {
        int size = frame.CalculateSize();
        var span = output.GetSpan(NodeApi.FrameLengthBytes + size);
        BinaryPrimitives.WriteUInt32BigEndian(span, (uint)size);
        frame.WriteTo(span.Slice(NodeApi.FrameLengthBytes, size));
        output.Advance(NodeApi.FrameLengthBytes + size);
        return FlushAsync();
    }

    /// <summary>
    /// Writes a snapshot or delta: its message without its lists of peers and presences, and those as encoded items. The items
    /// are walked twice, once to count. False when the reader is gone.
    /// </summary>
    /// <param name="frameTag">Tag of the frame's kind within MapFrame.</param>
    /// <param name="items">Each with the tag of its field.</param>
    public async ValueTask<bool> WriteAsync(byte frameTag, byte[] message, Func<IEnumerable<FrameItem>> items, int contentBytes)
    {
        int size = 1 + VarintBytes(contentBytes) + contentBytes;
        WriteStart(frameTag, size, contentBytes);
        if (!await WriteAsync(message)) return false;
        foreach (var item in items())
        {
            WriteTag(item.Tag, item.Content.Length);
            if (!await WriteAsync(item.Content)) return false;
        }
        return await FlushAsync();
    }

    /// <summary>Bytes of a message with its items.</summary>
    public static long ContentBytes(byte[] message, IEnumerable<FrameItem> items)
    {
        long bytes = message.Length;
        foreach (var item in items) bytes += item.WireBytes;
        return bytes;
    }

    public static int VarintBytes(int value)
    {
        int bytes = 1;
        for (uint rest = (uint)value >> 7; rest != 0; rest >>= 7) bytes++;
        return bytes;
    }

    private void WriteStart(byte frameTag, int size, int contentBytes)
    {
        Span<byte> start = stackalloc byte[NodeApi.FrameLengthBytes + 1 + MaxVarintBytes];
        BinaryPrimitives.WriteUInt32BigEndian(start, (uint)size);
        start[NodeApi.FrameLengthBytes] = frameTag;
        Write(start[..(NodeApi.FrameLengthBytes + 1 + WriteVarint(start[(NodeApi.FrameLengthBytes + 1)..], contentBytes))]);
    }

    private void WriteTag(byte tag, int length)
    {
        Span<byte> start = stackalloc byte[1 + MaxVarintBytes];
        start[0] = tag;
        Write(start[..(1 + WriteVarint(start[1..], length))]);
    }

    private async ValueTask<bool> WriteAsync(byte[] bytes)
    {
        for (int offset = 0; offset < bytes.Length; offset += ChunkBytes)
        {
            Write(bytes.AsSpan(offset, Math.Min(bytes.Length - offset, ChunkBytes)));
            if (_unflushed >= ChunkBytes && !await FlushAsync()) return false;
        }
        return true;
    }

    // Into whole blocks of the output, each asked for and handed over once: it takes a lock for either.
    private void Write(ReadOnlySpan<byte> bytes)
    {
        _unflushed += bytes.Length;
        while (!bytes.IsEmpty)
        {
            if (_inBlock == _block.Length)
            {
                HandOverBlock();
                _block = output.GetMemory();
            }
            int length = Math.Min(bytes.Length, _block.Length - _inBlock);
            bytes[..length].CopyTo(_block.Span[_inBlock..]);
            _inBlock += length;
            bytes = bytes[length..];
        }
    }

    private void HandOverBlock()
    {
        if (_inBlock > 0) output.Advance(_inBlock);
        (_block, _inBlock) = (default, 0);
    }

    private async ValueTask<bool> FlushAsync()
    {
        HandOverBlock();
        _unflushed = 0;
        Interlocked.Exchange(ref _waitingSince, clock.GetTimestamp());
        try
        {
            var result = await output.FlushAsync();
            return result is { IsCompleted: false, IsCanceled: false };
        }
        finally
        {
            Interlocked.Exchange(ref _waitingSince, -1);
        }
    }

    private static int WriteVarint(Span<byte> span, int value)
    {
        uint rest = (uint)value;
        int at = 0;
        for (; rest >= 0x80; rest >>= 7) span[at++] = (byte)(rest | 0x80);
        span[at++] = (byte)rest;
        return at;
    }
}

/// <summary>One item of a repeated message field, encoded.</summary>
/// <param name="Tag">Of the field that the item stands in: a number below 16, length-delimited.</param>
internal readonly record struct FrameItem(byte Tag, byte[] Content)
{
    public int WireBytes => 1 + FrameWriter.VarintBytes(Content.Length) + Content.Length;
}
