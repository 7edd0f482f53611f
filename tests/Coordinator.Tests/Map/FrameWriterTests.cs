using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Mesh.Coordinator.Map;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Map;

public sealed class FrameWriterTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public async Task A_stalled_reader_holds_a_bounded_part_of_a_large_frame()
    {
        // The pipe stands for the server's response buffer, which has this bound.
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: ControlLimits.StalledPollBytes, resumeWriterThreshold: ControlLimits.StalledPollBytes / 2));
        var writer = new FrameWriter(pipe.Writer, _clock);
        FrameItem[] items = [.. Enumerable.Range(0, 10_000).Select(i => new FrameItem(0x22, new byte[250]))];
        var writing = writer.WriteAsync(0x0a, new byte[100], () => items, (int)FrameWriter.ContentBytes(new byte[100], items)).AsTask();
        Assert.False(writing.IsCompleted);
        var read = await pipe.Reader.ReadAsync();
        Assert.InRange(read.Buffer.Length, ControlLimits.StalledPollBytes, ControlLimits.StalledPollBytes + 20 * 1024);
        pipe.Reader.AdvanceTo(read.Buffer.Start, read.Buffer.Start);

        _clock.Advance(TimeSpan.FromSeconds(40));
        Assert.Equal(TimeSpan.FromSeconds(40), writer.StalledFor);
        await pipe.Reader.CompleteAsync();
        Assert.False(await writing);
        Assert.Null(writer.StalledFor);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 3, 1)]
    [InlineData(20, 127, 128)]
    [InlineData(5, 40_000, 16_384)]
    public async Task A_frame_written_in_pieces_parses_as_the_message_it_stands_for(int count, int addressBytes, int presenceEndpoints)
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var writer = new FrameWriter(pipe.Writer, _clock);
        var expected = new Snapshot { Reset = true, ServerTimeMs = 12 };
        var head = new Snapshot { Reset = true, ServerTimeMs = 12 };
        List<FrameItem> items = [];
        for (int i = 0; i < count; i++)
        {
            var peer = new Peer { NodeId = (ulong)i + 1, Name = new string('x', addressBytes) };
            var presence = new PeerPresence { NodeId = (ulong)i + 1, Online = true };
            for (int e = 0; e < presenceEndpoints / 16; e++) presence.Endpoints.Add(new Endpoint { Port = 7 });
            peer.Presence = presence;
            items.Add(new FrameItem(0x22, Google.Protobuf.MessageExtensions.ToByteArray(peer)));
            expected.Peers.Add(peer);
        }
        byte[] message = Google.Protobuf.MessageExtensions.ToByteArray(head);
        Assert.True(await writer.WriteAsync(0x0a, message, () => items, (int)FrameWriter.ContentBytes(message, items)));
        await pipe.Writer.CompleteAsync();

        var read = await pipe.Reader.ReadAtLeastAsync(int.MaxValue);
        byte[] bytes = read.Buffer.ToArray();
        Assert.Equal((uint)bytes.Length - 4, BinaryPrimitives.ReadUInt32BigEndian(bytes));
        Assert.Equal(new MapFrame { Snapshot = expected }, MapFrame.Parser.ParseFrom(bytes.AsSpan(4)));
    }
}
