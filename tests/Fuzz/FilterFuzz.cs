using System.Net;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Node.Tests;
using Mesh.Node.Tests.Filter;
using static Mesh.Node.Tests.Filter.FilterMaps;
using static Mesh.Node.Tests.Filter.PacketWriter;

namespace Mesh.Fuzz;

/// <summary>
/// Headers, extension headers, fragments and quotes in every state of disrepair: read as the RFCs say, and judged as a plain reading
/// of the rules judges them.
/// </summary>
public sealed class FilterFuzz(ITestOutputHelper output)
{
    [Fact]
    public void Headers_are_read_as_the_rfcs_say_or_refused()
    {
        var corpus = Packets();
        int taken = 0;
        var run = new FuzzRun("filter headers", output);
        run.Run(40, random =>
        {
            var mutator = new Mutator(random, corpus);
            for (int i = 0; i < 500; i++)
            {
                byte[] packet = random.Next(10) == 0 ? mutator.Pick() : mutator.Next();
                run.Try(packet);
                taken += CheckHeaders(packet, PacketForm.Received) ? 1 : 0;
                CheckHeaders(packet, PacketForm.Quoted);
            }
        }, () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    [Fact]
    public void Packets_are_judged_as_a_plain_reading_of_the_rules_judges_them()
    {
        var corpus = Packets();
        int passed = 0, dropped = 0;
        var run = new FuzzRun("filter verdicts", output);
        run.Run(20, random =>
        {
            var time = new ManualTime();
            var expiring = NewPeer(2);
            expiring.ExpiresAtMs = time.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds();
            var map = Map(NewSnapshot([NewPeer(1), expiring, NewPeer(3), NewPeer(4)],
                [Rule([1], ports: [Port(22), Port(53)]), Rule([4], [UdpProtocol, IcmpProtocol, IcmpV6Protocol, 47]), Rule([], ports: [Port(80)], from: ["10.7.0.0/16", "fd07::/64"])],
                [Rule([4], [TcpProtocol], [Port(443)])]));
            using var probe = new PacketProbe(map, time);
            var reference = new ReferenceFilter(map, time.GetUtcNow());
            var mutator = new Mutator(random, corpus);
            for (int i = 0; i < 400; i++)
            {
                if (i == 300)
                {
                    // A peer's authorisation and all flows end.
                    time.Advance(TimeSpan.FromHours(26));
                    reference.Now = time.GetUtcNow();
                }
                byte[] packet = random.Next(3) == 0 ? mutator.Pick() : mutator.Next();
                if (packet.Length < 40) continue;
                byte peer = (byte)random.Next(1, 5);
                bool inbound = random.Next(3) > 0;
                byte[] addressed = Addressed(packet, peer, inbound, quoteToo: random.Next(4) > 0);
                run.Try(addressed);
                if (!InnerPacket.TryGetSource(addressed, out _, out int length)) continue;
                byte[] whole = addressed[..length];
                bool passes = inbound ? probe.Receive(peer, whole) is null : probe.Send(whole) is null;
                Assert.Equal(inbound ? reference.Inbound(peer, whole) : reference.Outbound(peer, whole), passes);
                if (passes) passed++;
                else dropped++;
            }
        }, () => $"{passed} passed, {dropped} dropped");
        Assert.True(passed > 100 && dropped > 100);
    }

    private static bool CheckHeaders(byte[] packet, PacketForm form)
    {
        var plain = PlainPacket.Read(packet, quoted: form == PacketForm.Quoted);
        bool read = PacketHeaders.Read(packet, form, out PacketHeaders headers) is null;
        Assert.Equal(plain is not null, read);
        if (plain is null) return false;
        Assert.Equal((plain.From, plain.To), (headers.Source.ToIPAddress(), headers.Destination.ToIPAddress()));
        Assert.Equal(plain.IsLater ? DatagramPart.LaterFragment : plain.FragmentId is null ? DatagramPart.Whole : DatagramPart.FirstFragment, headers.Part);
        if (plain.FragmentId is { } id) Assert.Equal((id, plain.FragmentOffset), (headers.FragmentId, headers.FragmentOffset));
        if (plain.IsLater) return true;
        Assert.Equal((plain.Protocol, plain.Judged, plain.FromPort, plain.ToPort), (headers.Protocol, headers.JudgedLength, headers.SourcePort, headers.DestinationPort));
        Assert.Equal((plain.Flags, plain.EchoId, plain.IsOpening), (headers.TcpFlags, headers.EchoId, headers.IsTcpOpening));
        Assert.Equal(
            !plain.IsIcmp ? IcmpMessage.None : plain.IsEchoRequest ? IcmpMessage.EchoRequest : plain.IsEchoReply ? IcmpMessage.EchoReply
                : plain.IsError ? IcmpMessage.Error : plain.IsLinkMessage ? IcmpMessage.Link : IcmpMessage.Other,
            headers.Icmp);
        return true;
    }

    /// <summary>The packet between this node and the peer, and as long as it says.</summary>
    private static byte[] Addressed(byte[] packet, byte peer, bool inbound, bool quoteToo)
    {
        byte[] changed = [.. packet];
        bool v6 = changed[0] >> 4 == 6;
        changed[0] = (byte)((v6 ? 0x60 : 0x40) | (changed[0] & 15));
        byte[] ours = (v6 ? Us6 : Us).GetAddressBytes(), theirs = (v6 ? V6(peer) : V4(peer)).GetAddressBytes();
        (inbound ? theirs : ours).CopyTo(changed, v6 ? 8 : 12);
        (inbound ? ours : theirs).CopyTo(changed, v6 ? 24 : 16);
        int quote = v6 ? 48 : (changed[0] & 15) * 4 + 8;
        if (quoteToo && changed[v6 ? 6 : 9] == (v6 ? IcmpV6Protocol : IcmpProtocol) && changed.Length >= quote + (v6 ? 40 : 20))
        {
            (inbound ? ours : theirs).CopyTo(changed, quote + (v6 ? 8 : 12));
            (inbound ? theirs : ours).CopyTo(changed, quote + (v6 ? 24 : 16));
        }
        int length = v6 ? changed.Length - 40 : changed.Length;
        (changed[v6 ? 4 : 2], changed[v6 ? 5 : 3]) = ((byte)(length >> 8), (byte)length);
        return changed;
    }

    /// <summary>One of each kind, in both families and directions.</summary>
    private static List<byte[]> Packets()
    {
        List<byte[]> packets = [.. Corpus.Hex("inner.hex")];
        foreach (var (a, b) in ((IPAddress, IPAddress)[])[(V4(1), Us), (Us, V4(1)), (V6(1), Us6), (Us6, V6(1))])
        {
            bool v6 = a.GetAddressBytes().Length == 16;
            byte[] tcp = TcpPacket(a, b, 5000, 22, Syn), udp = UdpPacket(a, b, 53, 5000, 64);
            packets.AddRange([tcp, udp, TcpPacket(a, b, 22, 5000, Syn | Ack), TcpPacket(a, b, 5000, 443, Ack, 8), TcpPacket(a, b, 5000, 22, Rst),
                TcpPacket(a, b, 5000, 22, Fin | Ack), UdpPacket(a, b, 5000, 53), EchoRequest(a, b, 7, 32), EchoReply(a, b, 7), Opening(a, b, SctpProtocol, 80), Opening(a, b, 47, 0),
                TooBig(a, b, TcpPacket(b, a, 5000, 22, Ack, 64)), TooBig(a, b, UdpPacket(b, a, 53, 5000)), TooBig(a, b, EchoRequest(b, a, 7)), TooBig(a, b, TooBig(b, a, tcp))]);
            packets.AddRange(Split(udp, 3, 24));
            if (v6)
            {
                (byte, byte[])[] chain = [(0, new byte[6]), (60, new byte[14]), (43, new byte[6])];
                packets.AddRange([WithExtensions(tcp, chain), Fragment(WithExtensions(udp, (60, new byte[6])), 4, 0, 24, more: true),
                    WithExtensions(udp, [.. Enumerable.Repeat(((byte)60, new byte[6]), 9)]), WithExtensions(tcp, (44, new byte[6])), WithExtensions(tcp, (43, [0, 1, 0, 0, 0, 0])),
                    WithExtensions(Fragment(udp, 5, 0, 24, more: true), (0, new byte[6])), WithExtensions(Fragment(udp, 5, 24, 24, more: true), (60, new byte[6]))]);
                for (int type = 127; type < 160; type++) packets.Add(IcmpPacket(a, b, type, 0, new byte[24]));
            }
            else
            {
                packets.AddRange([WithOptions(tcp, 148, 4, 0, 0), WithOptions(tcp, 131, 7, 4, 10, 0, 0, 1, 0), WithOptions(tcp, 1, 1, 0, 9), WithOptions(tcp, 68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0)]);
                for (int type = 0; type < 20; type++) packets.Add(IcmpPacket(a, b, type, 0, new byte[24]));
            }
        }
        return packets;
    }
}
