using System.Buffers.Binary;
using Google.Protobuf;
using Mesh.Node.Control;
using Mesh.Protocol.Control;

namespace Mesh.Node.Tests.Control;

public sealed class FrameReaderTests
{
    private const int Seed = 20261122;

    private static byte[] Framed(IMessage message)
    {
        byte[] body = message.ToByteArray();
        byte[] frame = new byte[4 + body.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)body.Length);
        body.CopyTo(frame, 4);
        return frame;
    }

    private static byte[] SnapshotFrame() => Framed(new MapFrame { Snapshot = MapSamples.Snapshot(1, 2, 3) });

    private static FrameReader Reader(byte[] bytes, int chunk = int.MaxValue) => new(new ChunkedStream(bytes, chunk), TimeProvider.System);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    public async Task Frames_come_whole_however_the_bytes_are_cut(int chunk)
    {
        var keepAlive = new MapFrame { KeepAlive = new KeepAlive { ServerTimeMs = 5 } };
        var reader = Reader([.. SnapshotFrame(), .. Framed(keepAlive)], chunk);
        Assert.Equal(3, (await reader.ReadAsync(default)).Frame!.Snapshot.Peers.Count);
        Assert.Equal(keepAlive, (await reader.ReadAsync(default)).Frame);
        Assert.Equal(FrameOutcome.End, (await reader.ReadAsync(default)).Outcome);
    }

    [Fact]
    public async Task A_stream_cut_inside_a_frame_is_truncated_wherever_it_is_cut()
    {
        byte[] frame = SnapshotFrame();
        for (int length = 1; length < frame.Length; length++)
            Assert.Equal(FrameOutcome.Truncated, (await Reader(frame[..length]).ReadAsync(default)).Outcome);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData((uint)ControlLimits.MapFrameBytes + 1)]
    [InlineData(uint.MaxValue)]
    public async Task A_length_out_of_bounds_is_refused_before_anything_is_read(uint length)
    {
        byte[] header = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(header, length);
        Assert.Equal(FrameOutcome.BadLength, (await Reader(header).ReadAsync(default)).Outcome);
    }

    [Fact]
    public async Task An_announced_length_costs_no_memory_until_bytes_come()
    {
        byte[] header = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(header, ControlLimits.MapFrameBytes);
        var reader = Reader([.. header, 1, 2, 3]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var read = reader.ReadAsync(default);
        Assert.True(read.IsCompleted);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(FrameOutcome.Truncated, (await read).Outcome);
        Assert.InRange(allocated, 0, 256 * 1024);
    }

    [Fact]
    public async Task A_poll_that_brings_nothing_for_75_seconds_is_given_up()
    {
        var time = new ManualTime();
        var reader = new FrameReader(new SilentStream(), time);
        var read = reader.ReadAsync(default).AsTask();
        time.Advance(TimeSpan.FromSeconds(74.9));
        Assert.False(read.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(FrameOutcome.Silent, (await read).Outcome);
    }

    [Fact]
    public async Task Random_and_mutated_bytes_never_throw_and_never_half_apply()
    {
        var random = new Random(Seed);
        byte[] good = SnapshotFrame();
        Assert.Equal(MapFault.None, NetworkMap.Create(MapSamples.Snapshot(1, 2, 3), out var map));
        byte[] before = map!.ToSnapshot().ToByteArray();
        int frames = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = i % 3 == 0 ? RandomBytes(random) : Mutate(random, i % 3 == 1 ? good : DeltaFrame());
            var read = await Reader(bytes).ReadAsync(default);
            if (read.Outcome != FrameOutcome.Frame) continue;
            frames++;
            var fault = read.Frame!.FrameCase switch
            {
                MapFrame.FrameOneofCase.Snapshot => NetworkMap.Create(read.Frame.Snapshot, out _),
                MapFrame.FrameOneofCase.Delta => map.Apply(read.Frame.Delta, out _),
                _ => MapFault.None,
            };
            Assert.True(Enum.IsDefined(fault.Kind), $"seed {Seed}, input {i}");
        }
        Assert.Equal(before, map.ToSnapshot().ToByteArray());
        Assert.InRange(frames, 1_000, 20_000);
    }

    private static byte[] DeltaFrame()
    {
        var delta = MapSamples.Delta(2);
        delta.Removals.Add(2);
        delta.Upserts.Add([MapSamples.Peer(4), MapSamples.Peer(1)]);
        delta.Presences.Add(MapSamples.Presence(3, online: false));
        return Framed(new MapFrame { Delta = delta });
    }

    private static byte[] RandomBytes(Random random)
    {
        byte[] bytes = new byte[random.Next(0, 200)];
        random.NextBytes(bytes);
        // Half of them with a length that fits, so that they reach the parser.
        if (bytes.Length > 4 && random.Next(2) == 0) BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)bytes.Length - 4);
        return bytes;
    }

    private static byte[] Mutate(Random random, byte[] good)
    {
        byte[] bytes = (byte[])good.Clone();
        for (int n = random.Next(1, 4); n > 0; n--) bytes[random.Next(4, bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }

    private sealed class ChunkedStream(byte[] bytes, int chunk) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, chunk)], cancellationToken);
    }

    private sealed class SilentStream : MemoryStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            return 0;
        }
    }
}
