using System.Buffers.Binary;
using Google.Protobuf;
using Mesh.Node.Control;
using Mesh.Node.Tests;
using Mesh.Node.Tests.Control;
using Mesh.Protocol.Control;

namespace Mesh.Fuzz;

/// <summary>The control channel as a node reads it: what a coordinator gone bad, or a broken stream, could send.</summary>
public sealed class ControlFuzz(ITestOutputHelper output)
{
    [Fact]
    public void Streams_of_frames_end_in_frames_or_a_typed_outcome()
    {
        byte[][] corpus = [.. Frames().Select(Framed), .. Corpus.Hex("frames.hex")];
        int frames = 0;
        var run = new FuzzRun("frames", output);
        run.Run(40, random =>
        {
            var mutator = new Mutator(random, corpus);
            for (int i = 0; i < 150; i++)
            {
                byte[] bytes = mutator.Next();
                run.Try(bytes);
                var time = new ManualTime();
                using var stream = new Chunks(bytes, random.Next(1, 2000), (Ending)random.Next(5));
                var reader = new FrameReader(stream, time);
                for (int n = 0; ; n++)
                {
                    Task<FrameRead> read = reader.ReadAsync(default).AsTask();
                    if (stream.IsSilent) time.Advance(ControlLimits.PollSilence + TimeSpan.FromSeconds(1));
                    Assert.True(read.Wait(TimeSpan.FromSeconds(30)), "it waits, though all bytes are there");
                    (FrameOutcome outcome, MapFrame? frame) = read.Result;
                    Assert.Equal(outcome == FrameOutcome.Frame, frame is not null);
                    if (outcome != FrameOutcome.Frame) break;
                    frames++;
                    Assert.True(n < bytes.Length);
                }
            }
        }, () => $"{frames} frames");
        Assert.True(frames > 0);
    }

    [Fact]
    public void Maps_are_made_of_whole_frames_or_not_at_all()
    {
        int made = 0, applied = 0;
        Dictionary<MapFaultKind, int> faults = [];
        var run = new FuzzRun("maps", output);
        run.Run(40, random =>
        {
            ByteString[] known = [.. Enumerable.Range(1, 5).Append(250).SelectMany(n => (ByteString[])[MapSamples.Key((byte)n), MapSamples.Address((byte)n).Address]), ByteString.CopyFrom(new byte[32])];
            var mutator = new MessageMutator(random, known);
            Assert.True(NetworkMap.Create(MapSamples.Snapshot(1, 2, 3), out NetworkMap? map).IsNone);
            for (int i = 0; i < 60; i++)
            {
                Snapshot snapshot = mutator.Change(random.Next(4) == 0 ? map!.ToSnapshot() : SomeSnapshot(random));
                run.Try(snapshot.ToByteArray());
                MapFault fault = NetworkMap.Create(snapshot, out NetworkMap? fresh);
                Check(fault, fresh);
                made += fault.IsNone ? 1 : 0;

                Delta delta = mutator.Change(SomeDelta(random));
                run.Try(delta.ToByteArray());
                Snapshot before = map!.ToSnapshot().Clone();
                fault = map.Apply(delta, out NetworkMap? next);
                Check(fault, next);
                Assert.Equal(before, map.ToSnapshot()); // whatever came of it, the map is as it was
                applied += fault.IsNone ? 1 : 0;
                if (random.Next(4) == 0) map = (next ?? fresh) is { Peers.Count: < 200 } another ? another : map;
            }
        }, () => $"{made} maps made, {applied} deltas applied, faults: " + string.Join(' ', faults.OrderBy(entry => entry.Key).Select(entry => $"{entry.Key}={entry.Value}")));
        Assert.True(made > 0 && applied > 0);

        void Check(MapFault fault, NetworkMap? map)
        {
            faults[fault.Kind] = faults.GetValueOrDefault(fault.Kind) + 1;
            Assert.Equal(fault.IsNone, map is not null);
            if (map is null) return;
            Snapshot again = map.ToSnapshot();
            Assert.True(NetworkMap.Create(again, out NetworkMap? same).IsNone, "a map does not make itself again");
            Assert.Equal(map.Peers.Count, same!.Peers.Count);
            Assert.Equal(map.Peers.Count, map.Peers.Values.Select(peer => peer.NodeKey).Distinct().Count());
            foreach (Peer peer in map.Peers.Values)
            {
                foreach (Prefix prefix in peer.Prefixes) Assert.InRange(prefix.ToNetwork().PrefixLength, 0, 128);
                foreach (Endpoint endpoint in peer.Presence?.Endpoints ?? []) Assert.False(WireEndpoint.FromWire(endpoint).IsEmpty);
            }
        }
    }

    [Fact]
    public void Answers_to_a_registration_say_who_the_node_is_or_are_refused()
    {
        int taken = 0;
        var run = new FuzzRun("registration answers", output);
        var answer = new RegisterResponse { Status = RegistrationStatus.Registered, NodeId = 7, Name = "laptop", Addresses = { MapSamples.Address(7) } };
        run.Run(40, random =>
        {
            var mutator = new MessageMutator(random);
            for (int i = 0; i < 100; i++)
            {
                RegisterResponse changed = mutator.Change(answer);
                run.Try(changed.ToByteArray());
                if (!MapRules.IsMembership(changed)) continue;
                taken++;
                Assert.True(changed.NodeId != 0 && Protocol.DnsLabel.IsValid(changed.Name));
                Assert.InRange(changed.Addresses.Count, 1, ControlLimits.PrefixesPerPeer);
                foreach (Prefix prefix in changed.Addresses) Assert.InRange(prefix.ToNetwork().PrefixLength, 0, 128);
            }
        }, () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    private static Snapshot SomeSnapshot(Random random)
    {
        Snapshot snapshot = MapSamples.Snapshot(1, 2, 3, 4);
        if (random.Next(2) == 0) snapshot.Self.Observed = MapSamples.Presence(1, online: true).Endpoints[0].Clone();
        if (random.Next(2) == 0) snapshot.Peers[random.Next(4)].PreviousNodeKey = MapSamples.Key((byte)random.Next(1, 12));
        if (random.Next(4) == 0) snapshot.Peers[random.Next(4)].Prefixes.Add(MapSamples.Address((byte)random.Next(1, 12)));
        if (random.Next(4) == 0) snapshot.Peers[random.Next(4)].KeySignature = new KeySignature { Signature = ByteString.CopyFrom(new byte[64]) };
        if (random.Next(4) == 0) snapshot.Filter.Egress.Add(new FilterRule { Destinations = { MapSamples.Address(3), new Prefix { Address = ByteString.CopyFrom(new byte[16]), Length = (uint)random.Next(2) * 128 } } });
        return snapshot;
    }

    private static Delta SomeDelta(Random random)
    {
        Delta delta = MapSamples.Delta((ulong)random.Next(2, 100));
        if (random.Next(2) == 0) delta.Upserts.Add(SomeSnapshot(random).Peers[random.Next(4)]);
        if (random.Next(3) == 0) delta.Upserts.Add(MapSamples.Peer((byte)random.Next(5, 9)));
        if (random.Next(3) == 0) delta.Removals.Add((ulong)random.Next(1, 5));
        if (random.Next(3) == 0) delta.Presences.Add(MapSamples.Presence((byte)random.Next(1, 5), online: false));
        if (random.Next(4) == 0)
        {
            delta.Self = MapSamples.Self();
            if (random.Next(2) == 0) delta.Self.NodeKey = MapSamples.Key((byte)random.Next(1, 6));
            if (random.Next(2) == 0) delta.Self.Addresses.Add(MapSamples.Address((byte)random.Next(1, 6)));
        }
        if (random.Next(4) == 0) delta.Filter = new PacketFilter { Ingress = { new FilterRule { Classes = { 1, 2 }, Protocols = { 6 }, Ports = { new PortRange { First = 1, Last = 2 } } } } };
        return delta;
    }

    private static IEnumerable<MapFrame> Frames() =>
    [
        new() { Snapshot = MapSamples.Snapshot(1, 2) },
        new() { Delta = SomeDelta(new Random(1)) },
        new() { KeepAlive = new KeepAlive { ServerTimeMs = 5 } },
    ];

    private static byte[] Framed(IMessage message)
    {
        byte[] body = message.ToByteArray(), frame = new byte[4 + body.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)body.Length);
        body.CopyTo(frame, 4);
        return frame;
    }

    private enum Ending
    {
        Regular,
        Broken,
        Failed,
        GivenUp,
        Silent,
    }

    /// <summary>So many bytes at a time, and an end of some kind.</summary>
    private sealed class Chunks(byte[] bytes, int size, Ending ending) : MemoryStream(bytes)
    {
        public bool IsSilent { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await base.ReadAsync(buffer[..Math.Min(buffer.Length, size)], cancellationToken);
            if (read > 0) return read;
            switch (ending)
            {
                case Ending.Broken:
                    throw new IOException("broken");
                case Ending.Failed:
                    throw new HttpRequestException("failed");
                case Ending.GivenUp:
                    throw new OperationCanceledException("the HTTP stack gave up");
                case Ending.Silent:
                    IsSilent = true;
                    await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                    return 0;
                default:
                    return 0;
            }
        }
    }
}
