using System.Buffers.Binary;
using System.Net;
using Mesh.Crypto;
using Mesh.Crypto.Noise;
using Mesh.Node.Device;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Fuzz;

/// <summary>The packets inside the tunnel: what they say of themselves is held against a second, plain reading of the RFCs.</summary>
public sealed class PacketFuzz(ITestOutputHelper output)
{
    [Fact]
    public void Inner_packets_are_read_as_the_rfcs_say_or_refused()
    {
        var corpus = Corpus.Hex("inner.hex");
        int taken = 0;
        var run = new FuzzRun("inner packets", output);
        run.Run(40, random =>
        {
            var mutator = new Mutator(random, corpus);
            for (int i = 0; i < 500; i++)
            {
                byte[] packet = random.Next(10) == 0 ? mutator.Pick() : mutator.Next();
                run.Try(packet);
                taken += CheckInner(packet) ? 1 : 0;
                CheckLoop(packet, random);
            }
        }, () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    [Fact]
    public void Sealed_packets_are_padded_as_the_kernel_does_and_opened_again_unless_a_bit_changed()
    {
        var corpus = Corpus.Hex("inner.hex");
        var run = new FuzzRun("transport messages", output);
        using var lab = new Node.Tests.Device.DeviceLab();
        var (a, b) = lab.Pair();
        run.Run(40, random =>
        {
            var mutator = new Mutator(random, corpus);
            var sender = new Keypair(a.PeerOf(b), isInitiator: true, 7, 1);
            var receiver = new Keypair(b.PeerOf(a), isInitiator: false, 8, 1);
            random.NextBytes(sender.SendKey);
            sender.SendKey.CopyTo(receiver.ReceiveKey);
            byte[] message = new byte[10_000];
            for (int i = 0; i < 200; i++)
            {
                byte[] packet = mutator.Next();
                run.Try(packet);
                int mtu = random.Next(3) == 0 ? (int)(Mutator.Edge(random) & 0xffff) : 1420;
                ulong counter = Mutator.Edge(random);
                int padding = TransportMessage.Padding(packet.Length, mtu);
                Assert.InRange(padding, 0, TransportLayout.PaddingMultiple - 1);
                if (mtu > 0 && packet.Length <= mtu) Assert.True(packet.Length + padding <= mtu);
                packet.CopyTo(message, TransportLayout.HeaderLength);
                int length = TransportMessage.Seal(sender, counter, message, packet.Length, mtu);
                Assert.Equal(packet.Length + padding + TransportLayout.Overhead, length);
                byte[] changed = message[..length];
                int at = random.Next(TransportLayout.HeaderLength, length);
                changed[at] ^= (byte)(1 << random.Next(8));
                Assert.False(TransportMessage.TryOpen(receiver, counter, changed));
                Assert.False(TransportMessage.TryOpen(receiver, counter + 1, message.AsSpan(0, length).ToArray()));
                Assert.True(TransportMessage.TryOpen(receiver, counter, message.AsSpan(0, length)));
                Assert.True(message.AsSpan(TransportLayout.HeaderLength, packet.Length).SequenceEqual(packet));
                Assert.True(message.AsSpan(TransportLayout.HeaderLength + packet.Length, padding).IndexOfAnyExcept((byte)0) < 0);
            }
        });
    }

    [Fact]
    public void Handshake_messages_of_any_length_are_read_or_refused()
    {
        using X25519PrivateKey initiator = X25519PrivateKey.Generate(), responder = X25519PrivateKey.Generate();
        byte[] shared = new byte[32];
        Assert.True(initiator.TryAgree(responder.PublicKey, shared));
        int taken = 0;
        var run = new FuzzRun("noise messages", output);
        run.Run(40, random =>
        {
            for (int i = 0; i < 20; i++)
            {
                byte[] payload = new byte[12], first = new byte[NoiseIk.FirstMessageOverhead + 12], second = new byte[NoiseIk.SecondMessageOverhead], psk = new byte[32];
                using var sender = NoiseIk.Initiator(NoiseProtocol.WireGuard, responder.PublicKey);
                Assert.True(sender.TryWriteFirst(X25519PrivateKey.Generate(), initiator, responder.PublicKey, shared, payload, first));
                if (random.Next(2) == 0) Attacker.LowOrder.CopyTo(first, 0);
                byte[] changed = random.Next(3) == 0 ? first : new Mutator(random, [first]).Next();
                run.Try(changed);
                using var receiver = NoiseIk.Responder(NoiseProtocol.WireGuard, responder);
                bool read = receiver.TryReadFirstStatic(responder, changed)
                    && receiver.TryReadFirstPayload(shared, changed, new byte[Math.Max(0, changed.Length - NoiseIk.FirstMessageOverhead)]);
                Assert.Equal(read, changed.AsSpan().SequenceEqual(first) && !first.AsSpan().StartsWith(Attacker.LowOrder));
                if (changed.Length < NoiseIk.FirstMessageOverhead) Assert.False(receiver.TryReadFirstPayload(shared, changed, default));
                if (!read) continue;
                taken++;
                Assert.True(receiver.TryWriteSecond(X25519PrivateKey.Generate(), psk, default, second));
                for (int j = 0; j < 4; j++)
                {
                    byte[] answer = new Mutator(random, [second]).Next();
                    if (random.Next(4) == 0) answer = [.. Attacker.LowOrder, .. second[32..]];
                    run.Try(answer);
                    if (!answer.AsSpan().SequenceEqual(second))
                        Assert.False(sender.TryReadSecond(initiator, psk, answer, new byte[Math.Max(0, answer.Length - NoiseIk.SecondMessageOverhead)]));
                }
                Assert.True(sender.TryReadSecond(initiator, psk, second, default)); // forged ones did not end it
            }
        }, () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    [Fact]
    public void Counters_are_accepted_once_and_within_the_window()
    {
        var run = new FuzzRun("replay window", output);
        run.Run(40, random =>
        {
            var window = new ReplayWindow();
            HashSet<ulong> seen = [];
            ulong newest = 0;
            for (int i = 0; i < 500; i++)
            {
                ulong counter = random.Next(8) switch
                {
                    0 => Mutator.Edge(random) & 0xfffff,
                    1 => newest - (ulong)random.Next(20_000),
                    2 => newest + (ulong)random.Next(20_000),
                    _ => newest + (ulong)random.Next(80) - 40,
                };
                if (counter >= 1 << 24) counter &= 0xffffff;
                run.Try(BitConverter.GetBytes(counter));
                bool fresh = !seen.Contains(counter) && (counter >= newest || newest - counter < 8128);
                bool stale = seen.Contains(counter) || (counter < newest && newest - counter > 8192);
                bool may = window.MayAccept(counter), did = window.TryAccept(counter);
                Assert.Equal(may, did);
                if (fresh) Assert.True(did, $"{counter} after {newest}");
                if (stale) Assert.False(did, $"{counter} after {newest}");
                if (!did) continue;
                seen.Add(counter);
                newest = Math.Max(newest, counter);
            }
        });
    }

    [Fact]
    public void No_source_gets_more_than_its_rate_however_many_there_are()
    {
        var run = new FuzzRun("source rates", output);
        run.Run(10, random =>
        {
            var rates = new SourceRates();
            Dictionary<UdpEndpoint, (int Admitted, long Since)> counts = [];
            long now = 1;
            for (int i = 0; i < 20_000; i++)
            {
                UdpEndpoint source = random.Next(3) == 0
                    ? UdpEndpoint.Parse($"[2001:db8:0:{random.Next(0x3000):x}::1]:7")
                    : UdpEndpoint.IPv4((uint)random.Next(random.Next(4) == 0 ? 40 : 0x7000) + 1, 9);
                if (i % 100 == 0) run.Try(source.ToString());
                now += random.Next(50) * 100;
                if (!rates.TryTake(source, now)) continue;
                var (admitted, since) = counts.GetValueOrDefault(source, (0, now));
                counts[source] = (admitted + 1, since);
                double allowed = Timing.SourceBurst + (now - since) / (double)TimeSpan.TicksPerSecond * Timing.SourceMessagesPerSecond + 1;
                Assert.True(admitted + 1 <= allowed, $"{source}: {admitted + 1} of {allowed}");
            }
        });
    }

    /// <summary>A packet that is a message of our own to its peer, which came back into the tunnel, is told from all others.</summary>
    private static void CheckLoop(byte[] packet, Random random)
    {
        if (!InnerPacket.TryGetDestination(packet, out IpAddressBits destination)) return;
        bool v4 = !destination.IsV6;
        Assert.Equal(packet[v4 ? 9 : 6] == 17, InnerPacket.IsUdp(packet));
        int ports = v4 ? (packet[0] & 15) * 4 : 40;
        bool hasPorts = packet.Length >= ports + 4;
        int from = hasPorts ? packet[ports] << 8 | packet[ports + 1] : 1, to = hasPorts ? packet[ports + 2] << 8 | packet[ports + 3] : 2;
        bool first = !v4 || ((packet[6] & 0x1f) == 0 && packet[7] == 0);
        IPAddress address = destination.ToIPAddress();
        // As the endpoint stands in the packet, or with one thing changed. An IPv4-mapped address is an IPv4 endpoint.
        UdpEndpoint same = UdpEndpoint.From(address, to);
        bool expected = hasPorts && first && !address.IsIPv4MappedToIPv6;
        Assert.Equal(expected, InnerPacket.IsUdpTo(packet, same, from));
        Assert.False(InnerPacket.IsUdpTo(packet, same, from + 1));
        Assert.False(InnerPacket.IsUdpTo(packet, same.WithPort((ushort)(to + 1)), from));
        Assert.False(InnerPacket.IsUdpTo(packet, UdpEndpoint.From(v4 ? IPAddress.IPv6Loopback : IPAddress.Loopback, to), from));
        byte[] other = address.GetAddressBytes();
        other[random.Next(other.Length)] ^= (byte)(1 << random.Next(8));
        Assert.False(InnerPacket.IsUdpTo(packet, UdpEndpoint.From(new IPAddress(other), to), from));
    }

    private static bool CheckInner(byte[] packet)
    {
        int version = packet.Length > 0 ? packet[0] >> 4 : 0, header = version == 4 ? 20 : version == 6 ? 40 : int.MaxValue;
        bool addressed = packet.Length >= header;
        Assert.Equal(addressed, InnerPacket.TryGetDestination(packet, out IpAddressBits destination));
        if (addressed) Assert.Equal(packet[(version == 4 ? 16 : 24)..(version == 4 ? 20 : 40)], destination.ToIPAddress().GetAddressBytes());

        int says = !addressed ? 0 : version == 4 ? BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(2)) : 40 + BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(4));
        bool whole = addressed && says >= header && says <= packet.Length;
        Assert.Equal(whole, InnerPacket.TryGetSource(packet, out IpAddressBits source, out int length));
        if (!whole) return false;
        Assert.Equal(says, length);
        Assert.Equal(packet[(version == 4 ? 12 : 8)..(version == 4 ? 16 : 24)], source.ToIPAddress().GetAddressBytes());
        return true;
    }
}
