using System.Buffers.Binary;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Tests.Device;

public sealed class HostileInputTests : IDisposable
{
    private static readonly UdpEndpoint Stranger = UdpEndpoint.From(System.Net.IPAddress.Parse("198.51.100.1"), 4444);

    private readonly DeviceLab _lab = new();
    private readonly FakeUdpTransport _stranger;
    private readonly LabNode _a;
    private readonly LabNode _b;
    private readonly List<byte[]> _wire = [];

    public HostileInputTests()
    {
        _stranger = _lab.Network.Attach(4444, System.Net.IPAddress.Parse("198.51.100.1"));
        (_a, _b) = _lab.Pair();
        _lab.Network.Tap = (in UdpEndpoint _, in UdpEndpoint _, ReadOnlySpan<byte> datagram) => _wire.Add(datagram.ToArray());
        _a.Send(_b);
        _lab.Settle();
        _b.ReceiveAll();
    }

    public void Dispose()
    {
        _stranger.Dispose();
        _lab.Dispose();
    }

    [Fact]
    public void A_replayed_transport_message_is_dropped()
    {
        _stranger.Send(_wire[2], _b.Endpoint);
        _lab.Settle();
        Assert.Equal(1, _b.Device.Drops[DropReason.Replayed]);
        Assert.Null(_b.Receive());
        Assert.Equal(_a.Endpoint, _b.PeerOf(_a).Endpoint);
    }

    [Fact]
    public void A_replayed_initiation_is_dropped_and_not_answered()
    {
        _lab.Advance(TimeSpan.FromSeconds(1));
        int before = _wire.Count;
        _stranger.Send(_wire[0], _b.Endpoint);
        _lab.Settle();
        Assert.Equal(1, _b.Device.Drops[DropReason.InitiationReplayed]);
        Assert.Equal(before + 1, _wire.Count);
    }

    [Fact]
    public void A_response_that_was_used_or_forged_changes_nothing()
    {
        _stranger.Send(_wire[1], _a.Endpoint);
        _lab.Settle();
        Assert.Equal(1, _a.Device.Drops[DropReason.UnknownIndex]);
    }

    [Fact]
    public void A_forged_response_does_not_end_the_handshake_it_answers()
    {
        _lab.Advance(TimeSpan.FromSeconds(1));
        _wire.Clear();
        _lab.Network.Cut = static (in UdpEndpoint _, in UdpEndpoint _) => true;
        _a.PeerOf(_b).Keypairs.Current!.ExpireSending();
        byte[] sent = _a.Send(_b, 123);
        _a.Device.Queues[0].Outbound.Run();
        _a.Device.Control.Run();
        byte[] initiation = _wire[0];
        _lab.Network.Cut = null;
        byte[] forged = new byte[ResponseLayout.Length];
        forged[0] = 2;
        initiation.AsSpan(InitiationLayout.Sender, 4).CopyTo(forged.AsSpan(ResponseLayout.Receiver));
        X25519PrivateKey.Generate().PublicKey.AsSpan().CopyTo(forged.AsSpan(ResponseLayout.Noise));
        new Mac1Key(_a.Key.PublicKey).Compute(forged.AsSpan(0, ResponseLayout.Mac1), forged.AsSpan(ResponseLayout.Mac1, 16));
        _stranger.Send(forged, _a.Endpoint);
        _a.Device.Queues[0].Inbound.Run();
        _a.Device.Control.Run();
        Assert.Equal(1, _a.Device.Drops[DropReason.HandshakeInvalid]);
        _stranger.Send(initiation, _b.Endpoint); // carried by another way, it is answered to where it came from
        _lab.Settle();
        byte[] response = _wire[^1];
        Assert.Equal((92, (byte)2), (response.Length, response[0]));
        _stranger.Send(response, _a.Endpoint);
        _lab.Settle();
        _lab.Settle();
        Assert.True(_a.PeerOf(_b).HasSession);
        Assert.NotEmpty(sent);
    }

    [Fact]
    public void Every_truncation_and_every_flipped_bit_is_dropped_without_an_answer()
    {
        _b.Send(_a, 40);
        _lab.Settle();
        _a.ReceiveAll();
        _lab.Advance(TimeSpan.FromSeconds(1));
        byte[][] messages = [.. _wire];
        int before = _wire.Count, injected = 0;
        foreach (byte[] message in messages)
        {
            for (int length = 0; length < message.Length; length++) Inject(message[..length]);
            Inject([.. message, 0]);
            for (int bit = 0; bit < message.Length * 8; bit++)
            {
                byte[] flipped = [.. message];
                flipped[bit / 8] ^= (byte)(1 << (bit % 8));
                Inject(flipped);
            }
        }
        long dropped = _b.Device.Drops.All().Sum(drop => drop.Count);
        Assert.Equal(injected, dropped);
        Assert.Equal(before + injected, _wire.Count);
        Assert.Null(_b.Receive());
        Assert.Equal(_a.Endpoint, _b.PeerOf(_a).Endpoint);

        void Inject(byte[] datagram)
        {
            injected++;
            _stranger.Send(datagram, _b.Endpoint);
            _lab.Settle();
        }
    }

    [Fact]
    public void Random_datagrams_are_dropped_without_an_answer()
    {
        var random = new Random(20261122);
        int before = _wire.Count;
        for (int i = 0; i < 5000; i++)
        {
            byte[] datagram = new byte[random.Next(1, 200)];
            random.NextBytes(datagram);
            if (random.Next(2) == 0 && datagram.Length >= 4)
                BinaryPrimitives.WriteUInt32LittleEndian(datagram, (uint)random.Next(6));
            _stranger.Send(datagram, _b.Endpoint);
            _lab.Settle();
        }
        Assert.Equal(5000, _b.Device.Drops.All().Sum(drop => drop.Count));
        Assert.Equal(before + 5000, _wire.Count);
    }

    [Fact]
    public void A_stranger_with_a_valid_initiation_is_no_peer_and_not_answered()
    {
        LabNode c = _lab.Add(3);
        c.Knows(_b);
        int before = _wire.Count;
        c.Send(_b);
        _lab.Settle();
        Assert.Equal(1, _b.Device.Drops[DropReason.UnknownPeer]);
        Assert.Equal(before + 1, _wire.Count);
    }

    [Fact]
    public void A_packet_from_an_address_that_is_not_the_peers_is_dropped()
    {
        _a.Send(_b, source: System.Net.IPAddress.Parse("10.0.0.77"));
        _lab.Settle();
        Assert.Equal(1, _b.Device.Drops[DropReason.InnerSource]);
        Assert.Null(_b.Receive());
    }

    [Fact]
    public void A_packet_that_says_it_is_longer_than_it_is_is_dropped()
    {
        byte[] packet = LabNode.Packet(_a.Inner, _b.Inner, 64, 1);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), 81);
        _a.Tun.Inject(packet);
        packet[0] = 0x25;
        _a.Tun.Inject(packet);
        _lab.Settle();
        Assert.Equal(1, _b.Device.Drops[DropReason.InnerMalformed]);
        Assert.Equal(1, _a.Device.Drops[DropReason.OutboundMalformed]);
        Assert.Null(_b.Receive());
    }

    [Fact]
    public void More_handshake_messages_than_the_queue_holds_are_dropped_and_counted()
    {
        byte[] junk = new byte[InitiationLayout.Length];
        junk[0] = 1;
        for (int i = 0; i < Timing.HandshakeQueue + 50; i++) _stranger.Send(junk, _b.Endpoint);
        while (_b.Device.Queues[0].Inbound.Run()) { }
        Assert.Equal(50, _b.Device.Drops[DropReason.HandshakeQueueFull]);
        _lab.Settle();
        Assert.Equal(Timing.HandshakeQueue, _b.Device.Drops[DropReason.Mac1]);
    }
}
