using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Mesh.Node.Control;
using Mesh.Protocol.Control;
using Mesh.Tests;

namespace Mesh.Node.Tests.Filter;

/// <summary>Random rules, packets, flows, fragments and map changes, held against <see cref="ReferenceFilter"/>.</summary>
public sealed class PolicyFilterPropertyTests
{
    [Fact]
    public void Verdicts_equal_a_plain_reading_of_the_rules() =>
        SeededProperty.Holds(Gen.Choose(0, int.MaxValue), seed => new Story(seed).Run(120) is null, count: 200);

    [Fact]
    public void Random_stories_let_enough_pass_and_drop_enough_of_every_kind()
    {
        var all = Enumerable.Range(0, 100).Select(seed => { var story = new Story(seed); story.Run(120); return story.Counts; }).ToList();
        foreach (string kind in Story.Kinds)
        {
            Assert.True(all.Sum(counts => counts.GetValueOrDefault((kind, true))) > 20, $"{kind} passed too seldom to mean something");
            Assert.True(all.Sum(counts => counts.GetValueOrDefault((kind, false))) > 20, $"{kind} was dropped too seldom to mean something");
        }
    }

    private sealed class Story(int seed)
    {
        public static readonly string[] Kinds = ["begin", "reply", "error", "fragment", "out"];
        private static readonly int[] Ports = [22, 53, 80, 5000];
        private static readonly byte[] Protocols = [1, 6, 6, 6, 17, 17, 58, 132, 47];

        private readonly Random _random = new(seed);
        private readonly List<(ulong Peer, byte[] Packet)> _sent = [];
        private readonly List<(ulong Peer, byte[] Packet)> _received = [];

        public Dictionary<(string, bool), int> Counts { get; } = [];

        /// <returns>Null when all verdicts were equal; throws with the story's step otherwise.</returns>
        public string? Run(int steps)
        {
            var time = new ManualTime();
            var map = NewMap();
            using var probe = new PacketProbe(map, time);
            var reference = new ReferenceFilter(map, time.GetUtcNow());
            for (int step = 0; step < steps; step++)
            {
                reference.Now = time.GetUtcNow();
                switch (_random.Next(16))
                {
                    case 0:
                        time.Advance(_random.Next(8) == 0 ? TimeSpan.FromHours(25) : TimeSpan.FromMilliseconds(20));
                        break;
                    case 1 when _random.Next(3) == 0:
                        map = NewMap();
                        probe.Apply(map);
                        reference.Apply(map);
                        break;
                    case < 6:
                        var (kind, peer, packet) = Incoming();
                        Compare(step, kind, probe.Receive(peer, packet) is null, reference.Inbound(peer, packet), packet);
                        _received.Add((peer, packet));
                        break;
                    case 6:
                        Datagram(step, probe, reference);
                        break;
                    default:
                        (peer, packet) = Outgoing();
                        Compare(step, "out", probe.Send(packet) is null, reference.Outbound(peer, packet), packet);
                        _sent.Add((peer, packet));
                        break;
                }
            }
            return null;
        }

        private void Compare(int step, string kind, bool passed, bool should, byte[] packet)
        {
            Counts[(kind, passed)] = Counts.GetValueOrDefault((kind, passed)) + 1;
            if (passed != should)
                throw new InvalidOperationException($"seed {seed}, step {step}, {kind}: {(passed ? "passed" : "dropped")} against the plain reading: {Convert.ToHexString(packet)}");
        }

        private NetworkMap NewMap() => FilterMaps.Map(FilterMaps.NewSnapshot(
            new byte[] { 1, 2, 3, 4 }.Where(n => n != 2 || _random.Next(4) > 0).Select(NewPeer), NewRules(), NewRules()));

        private Peer NewPeer(byte n)
        {
            var peer = FilterMaps.NewPeer(n);
            if (_random.Next(5) == 0) peer.ClassId = (ulong)_random.Next(5);
            if (_random.Next(5) == 0) peer.OwnerId = (ulong)_random.Next(8, 10);
            return peer;
        }

        private IEnumerable<FilterRule> NewRules() => Enumerable.Range(0, _random.Next(4)).Select(_ => new FilterRule
        {
            Classes = { Some<ulong>([0, 1, 2, 3, 4]) },
            Protocols = { _random.Next(3) == 0 ? Some<uint>([1, 6, 17, 58, 132, 47]) : [] },
            Ports = { _random.Next(2) == 0 ? Some(Ports).Select(port => FilterMaps.Port(port, port + _random.Next(2) * 40)) : [] },
            Destinations = { _random.Next(3) == 0 ? Some(["10.9.0.0/24", "10.9.0.4/30", "100.64.1.250/32", "fd7a::/64", "0.0.0.0/0"]).Select(FilterMaps.PrefixOf) : [] },
            Sources = { _random.Next(3) == 0 ? Some(["10.7.0.0/16", "10.7.3.0/24", "fd07::/64", "0.0.0.0/0"]).Select(FilterMaps.PrefixOf) : [] },
            SameOwner = _random.Next(4) == 0,
            IpVersion = (uint)(_random.Next(8) switch { 0 => 4, 1 => 6, 2 => 5, _ => 0 }),
        });

        private IEnumerable<T> Some<T>(T[] of) => of.Where(_ => _random.Next(of.Length) < 2);

        private (string Kind, ulong Peer, byte[] Packet) Incoming()
        {
            if (_sent.Count > 0 && _random.Next(2) == 0)
            {
                var (to, sent) = Recent(_sent);
                if (_random.Next(3) == 0) return ("error", to, Error(sent));
                if (PlainPacket.Read(sent, quoted: false) is { IsLater: false } packet) return ("reply", to, Answer(packet));
            }
            if (_received.Count > 0 && _random.Next(4) == 0)
            {
                var (from, received) = Recent(_received);
                return ("begin", from, received);
            }
            byte peer = (byte)_random.Next(1, 5);
            bool v6 = _random.Next(3) == 0;
            var source = peer == 3 && _random.Next(2) == 0 ? (v6 ? IPAddress.Parse("fd07::9") : FilterMaps.BehindThree) : v6 ? FilterMaps.V6(peer) : FilterMaps.V4(peer);
            var destination = v6 ? FilterMaps.Us6 : _random.Next(4) == 0 ? FilterMaps.BehindSelf : FilterMaps.Us;
            return ("begin", peer, Dress(New(source, destination)));
        }

        private (ulong Peer, byte[] Packet) Outgoing()
        {
            if (_received.Count > 0 && _random.Next(3) == 0)
            {
                var (from, received) = Recent(_received);
                if (PlainPacket.Read(received, quoted: false) is { IsLater: false } packet)
                    return (from, _random.Next(4) == 0 ? Error(received) : Answer(packet));
            }
            if (_sent.Count > 0 && _random.Next(4) == 0) return Recent(_sent);
            // Peer 2 may be out of the map; the host has no route to it then.
            byte peer = (byte)(_random.Next(3) == 0 ? 1 : _random.Next(3, 5));
            bool v6 = _random.Next(3) == 0;
            var destination = peer == 3 && _random.Next(2) == 0 ? (v6 ? IPAddress.Parse("fd07::9") : FilterMaps.BehindThree) : v6 ? FilterMaps.V6(peer) : FilterMaps.V4(peer);
            return (peer, Dress(New(v6 ? FilterMaps.Us6 : _random.Next(4) == 0 ? FilterMaps.BehindSelf : FilterMaps.Us, destination)));
        }

        private byte[] New(IPAddress from, IPAddress to)
        {
            byte protocol = Protocols[_random.Next(Protocols.Length)];
            if (protocol is 1 or 58 && _random.Next(4) == 0)
                return PacketWriter.IcmpPacket(from, to, _random.Next(256), 0, new byte[8]);
            int fromPort = Ports[_random.Next(Ports.Length)], port = Ports[_random.Next(Ports.Length)];
            return protocol == 6 ? PacketWriter.TcpPacket(from, to, fromPort, port, Flags(), _random.Next(2) * 8) : PacketWriter.Opening(from, to, protocol, port, fromPort);
        }

        private byte[] Answer(PlainPacket packet) => packet.Protocol switch
        {
            6 => PacketWriter.TcpPacket(packet.To, packet.From, packet.ToPort, packet.FromPort, Flags()),
            1 or 58 when packet.IsEchoRequest => PacketWriter.EchoReply(packet.To, packet.From, packet.EchoId + _random.Next(8) / 7),
            _ => PacketWriter.Opening(packet.To, packet.From, (byte)packet.Protocol, packet.FromPort, packet.ToPort),
        };

        /// <summary>Quotes a packet of the other side, most often truly.</summary>
        private byte[] Error(byte[] about)
        {
            int version = about[0] >> 4;
            IPAddress from = new(version == 4 ? about[16..20] : about[24..40]), to = new(version == 4 ? about[12..16] : about[8..24]);
            byte[] quoted = _random.Next(5) == 0 ? New(to, from) : about;
            return PacketWriter.TooBig(from, to, quoted, _random.Next(6) == 0 ? _random.Next(60) : 68);
        }

        private byte Flags() => _random.Next(10) switch
        {
            < 4 => PacketWriter.Syn,
            < 7 => PacketWriter.Ack,
            7 => PacketWriter.Syn | PacketWriter.Ack,
            8 => PacketWriter.Fin | PacketWriter.Ack,
            _ => PacketWriter.Rst,
        };

        /// <summary>Options and extension headers now and then.</summary>
        private byte[] Dress(byte[] packet)
        {
            if (_random.Next(5) > 0) return packet;
            if (packet[0] >> 4 == 4) return PacketWriter.WithOptions(packet, _random.Next(3) == 0 ? [131, 3, 4, 0] : [148, 4, 0, 0]);
            var headers = Enumerable.Range(0, _random.Next(1, 11)).Select(_ => ((byte)(_random.Next(6) switch { 0 => 0, 1 => 43, _ => 60 }), new byte[6 + 8 * _random.Next(2)]));
            return PacketWriter.WithExtensions(packet, [.. headers]);
        }

        private void Datagram(int step, PacketProbe probe, ReferenceFilter reference)
        {
            bool inbound = _random.Next(3) > 0;
            var (peer, whole) = inbound ? (Incoming() is var incoming ? (incoming.Peer, incoming.Packet) : default) : Outgoing();
            int header = whole[0] >> 4 == 4 ? 20 : 40;
            if ((whole[0] & 15) != 5 && header == 20) return; // with options: written as one piece
            byte[] longer = [.. whole, .. new byte[64]];
            longer[header == 20 ? 3 : 5] += 64;
            var parts = PacketWriter.Split(longer, (uint)_random.Next(3), 8 * _random.Next(1, 6));
            if (_random.Next(4) == 0) parts.Reverse();
            foreach (byte[] part in parts)
            {
                bool passed = inbound ? probe.Receive(peer, part) is null : probe.Send(part) is null;
                Compare(step, inbound ? "fragment" : "out", passed, inbound ? reference.Inbound(peer, part) : reference.Outbound(peer, part), part);
            }
        }

        private (ulong Peer, byte[] Packet) Recent(List<(ulong Peer, byte[] Packet)> list) => list[^_random.Next(1, Math.Min(list.Count, 6) + 1)];
    }
}
