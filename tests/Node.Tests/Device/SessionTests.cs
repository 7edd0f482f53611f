using System.Buffers.Binary;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Tests.Device;

public sealed class SessionTests : IDisposable
{
    private readonly DeviceLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_packet_for_a_peer_makes_a_session_and_arrives(bool withPsk)
    {
        using var psk = new PresharedKey(new byte[32].Select((_, i) => (byte)i).ToArray());
        var (a, b) = _lab.Pair(withPsk ? psk : null);
        byte[] sent = a.Send(b);
        _lab.Settle();
        Assert.Equal(sent, b.Receive());
        Assert.True(a.PeerOf(b).HasSession);
        Assert.Equal(_lab.Time.GetUtcNow(), a.PeerOf(b).LastHandshake);
        byte[] back = b.Send(a, 1420);
        _lab.Settle();
        Assert.Equal(back, a.Receive());
        Assert.Single(a.Events, (2ul, PeerEvent.SessionMade));
        Assert.Single(b.Events, (1ul, PeerEvent.SessionMade));
    }

    [Fact]
    public void Counters_are_what_the_messages_sizes_add_up_to()
    {
        var (a, b) = _lab.Pair();
        a.Send(b, 100); // initiation 148, response 92, data 112 + 32
        _lab.Settle();
        b.Send(a, 1420); // padded to the MTU, which is no multiple of 16
        _lab.Settle();
        Assert.Equal((148 + 144, 92 + 1452), (a.PeerOf(b).TxBytes, a.PeerOf(b).RxBytes));
        Assert.Equal((92 + 1452, 148 + 144), (b.PeerOf(a).TxBytes, b.PeerOf(a).RxBytes));
    }

    [Fact]
    public void Different_preshared_keys_make_no_session()
    {
        var (a, b) = _lab.Pair();
        a.Device.SetPresharedKey(a.PeerOf(b), new PresharedKey(Enumerable.Repeat((byte)1, 32).ToArray()));
        a.Send(b);
        _lab.Settle();
        Assert.Null(b.Receive());
        Assert.False(a.PeerOf(b).HasSession);
        Assert.Equal(1, a.Device.Drops[DropReason.HandshakeInvalid]);
    }

    [Fact]
    public void Packets_wait_for_the_handshake_in_order_and_the_oldest_give_way()
    {
        var (a, b) = _lab.Pair();
        _lab.Network.Cut = static (in UdpEndpoint _, in UdpEndpoint _) => true;
        List<byte[]> sent = [];
        for (int i = 0; i < Timing.StagedPackets + 10; i++) sent.Add(a.Send(b, 60 + i));
        _lab.Settle();
        _lab.Network.Cut = null;
        _lab.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(sent[10..], b.ReceiveAll());
        Assert.Equal(10, a.Device.Drops[DropReason.StagingFull]);
    }

    [Fact]
    public void An_endpoint_that_comes_while_packets_wait_starts_a_handshake_at_once()
    {
        LabNode a = _lab.Add(1), b = _lab.Add(2);
        a.Knows(b, withEndpoint: false);
        b.Knows(a, withEndpoint: false);
        byte[] sent = a.Send(b);
        _lab.Settle();
        Assert.Null(b.Receive());
        a.Device.SetEndpoint(a.PeerOf(b), b.Endpoint);
        _lab.Settle();
        Assert.Equal(sent, b.Receive());
        Assert.Equal(a.Endpoint, b.PeerOf(a).Endpoint);
    }

    [Fact]
    public void Without_an_answer_the_initiation_is_repeated_for_90_seconds_and_given_up()
    {
        var (a, b) = _lab.Pair();
        int initiations = 0;
        _lab.Network.Tap = (in UdpEndpoint _, in UdpEndpoint _, ReadOnlySpan<byte> datagram) => initiations += datagram[0] == 1 ? 1 : 0;
        _lab.Network.Cut = static (in UdpEndpoint _, in UdpEndpoint _) => true;
        a.Send(b);
        _lab.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(Timing.MaxAttempts + 1, initiations);
        Assert.Equal((2ul, PeerEvent.HandshakeGivenUp), a.Events[^1]);
        Assert.Equal(1, a.Device.Drops[DropReason.HandshakeFailed]);
        _lab.Network.Cut = null;
        byte[] later = a.Send(b, 77);
        _lab.Settle();
        Assert.Equal([later], b.ReceiveAll());
    }

    [Fact]
    public void The_initiator_renews_the_session_after_120_seconds_of_use()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        DateTimeOffset? first = a.PeerOf(b).LastHandshake;
        for (int second = 0; second < 119; second++)
        {
            _lab.Advance(TimeSpan.FromSeconds(1));
            a.Send(b);
            b.Send(a);
        }
        Assert.Equal(first, a.PeerOf(b).LastHandshake);
        for (int second = 0; second < 3; second++)
        {
            _lab.Advance(TimeSpan.FromSeconds(1));
            a.Send(b);
            b.Send(a);
        }
        _lab.Settle();
        Assert.True(a.PeerOf(b).LastHandshake > first);
        Assert.Equal(123, b.ReceiveAll().Count);
        Assert.Equal(122, a.ReceiveAll().Count);
    }

    [Fact]
    public void A_session_sends_nothing_after_180_seconds_and_its_keys_are_zeroed_after_540()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        Keypair session = a.PeerOf(b).Keypairs.Current!;
        Assert.True(session.SendKey.IndexOfAnyExcept((byte)0) >= 0);
        _lab.Network.Cut = static (in UdpEndpoint _, in UdpEndpoint _) => true;
        _lab.Advance(TimeSpan.FromSeconds(181));
        Assert.False(a.PeerOf(b).HasSession);
        _lab.Advance(TimeSpan.FromSeconds(360));
        Assert.Null(a.PeerOf(b).Keypairs.Current);
        Assert.Equal(-1, session.SendKey.IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, session.ReceiveKey.IndexOfAnyExcept((byte)0));
        Assert.Equal(0, a.Device.Quiescence.Waiting);
    }

    [Fact]
    public void A_handshake_that_is_out_when_old_keys_are_zeroed_goes_on()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        _lab.Advance(TimeSpan.FromSeconds(537));
        b.ReceiveAll();
        _lab.Network.Cut = static (in UdpEndpoint _, in UdpEndpoint _) => true;
        byte[] sent = a.Send(b, 123);
        _lab.Advance(TimeSpan.FromSeconds(4)); // the keys of the first session go
        Assert.Null(a.PeerOf(b).Keypairs.Current);
        _lab.Network.Cut = null;
        _lab.Advance(TimeSpan.FromSeconds(2)); // the initiation is repeated
        Assert.Equal([sent], b.ReceiveAll());
    }

    [Fact]
    public void A_private_key_that_changes_while_packets_wait_starts_a_handshake_under_the_new_one_at_once()
    {
        var (a, b) = _lab.Pair();
        _lab.Network.Cut = static (in UdpEndpoint _, in UdpEndpoint _) => true;
        byte[] sent = a.Send(b);
        _lab.Settle();
        _lab.Network.Cut = null;
        var next = X25519PrivateKey.Generate();
        b.Device.SetPeer(1, next.PublicKey);
        a.Device.SetKeys(next);
        _lab.Settle();
        Assert.Equal([sent], b.ReceiveAll());
    }

    [Fact]
    public void A_peers_key_that_changes_while_packets_wait_starts_a_handshake_to_the_new_one_at_once()
    {
        var (a, b) = _lab.Pair();
        using var wrong = X25519PrivateKey.Generate();
        a.Device.SetPeer(2, wrong.PublicKey);
        byte[] sent = a.Send(b);
        _lab.Settle();
        Assert.Empty(b.ReceiveAll());
        a.Device.SetPeer(2, b.Key.PublicKey);
        _lab.Settle();
        Assert.Equal([sent], b.ReceiveAll());
    }

    [Fact]
    public void A_response_to_an_initiation_under_a_key_that_is_gone_is_dropped()
    {
        var (a, b) = _lab.Pair();
        List<byte[]> responses = [];
        _lab.Network.Tap = (in UdpEndpoint _, in UdpEndpoint _, ReadOnlySpan<byte> datagram) =>
        {
            if (datagram[0] == 2) responses.Add(datagram.ToArray());
        };
        _lab.Network.Cut = (in UdpEndpoint from, in UdpEndpoint _) => from.Equals(b.Endpoint);
        a.Send(b);
        _lab.Settle();
        var next = X25519PrivateKey.Generate();
        a.Device.SetKeys(next, LabNode.Clone(a.Key));
        a.Device.SetKeys(LabNode.Clone(next)); // the key that the initiation went out under is zeroed
        _lab.Network.Cut = null;
        // A peer gone bad kept its response, and knows our new key by now.
        byte[] response = responses[0];
        new Mac1Key(next.PublicKey).Compute(response.AsSpan(0, ResponseLayout.Mac1), response.AsSpan(ResponseLayout.Mac1, 16));
        b.Udp.Send(response, a.Endpoint);
        _lab.Settle();
        Assert.Equal(1, a.Device.Drops[DropReason.UnknownIndex]);
        Assert.False(a.PeerOf(b).HasSession);
    }

    [Fact]
    public void A_peer_removed_under_the_hands_of_others_keeps_neither_staged_bytes_nor_a_key()
    {
        using var psk = new PresharedKey(Enumerable.Repeat((byte)1, 32).ToArray());
        var (a, b) = _lab.Pair(psk);
        Peer peer = a.PeerOf(b);
        a.Device.RemovePeer(peer);
        // The outbound path found the peer before it went, and stages for it after.
        peer.Staged.Add(LabNode.Packet(a.Inner, b.Inner, 100, 1));
        a.Device.RequestHandshake(peer);
        _lab.Settle();
        Assert.Equal(Timing.StagedBytes, a.Device.StagingBudget.Left);
        byte[] key = Enumerable.Repeat((byte)7, 32).ToArray();
        a.Device.CopyPresharedKey(peer, key);
        Assert.Equal(new byte[32], key);
    }

    [Fact]
    public void A_used_up_counter_starts_a_handshake_and_loses_nothing()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        _lab.Advance(TimeSpan.FromSeconds(1));
        a.PeerOf(b).Keypairs.Current!.ExpireSending();
        byte[] sent = a.Send(b, 99);
        _lab.Settle();
        Assert.Equal(sent, b.ReceiveAll()[^1]);
    }

    [Fact]
    public void Data_received_is_answered_with_a_keepalive_after_10_seconds_and_keepalives_are_not()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        long tx = b.PeerOf(a).TxBytes;
        _lab.Advance(TimeSpan.FromSeconds(9));
        Assert.Equal(tx, b.PeerOf(a).TxBytes);
        _lab.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(tx + 32, b.PeerOf(a).TxBytes);
        long after = a.PeerOf(b).TxBytes;
        _lab.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal((tx + 32, after), (b.PeerOf(a).TxBytes, a.PeerOf(b).TxBytes));
    }

    [Fact]
    public void Data_that_nothing_comes_back_for_starts_a_handshake_after_15_seconds()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        _lab.Network.Cut = (in UdpEndpoint from, in UdpEndpoint _) => from.Equals(b.Endpoint);
        int initiations = 0;
        _lab.Network.Tap = (in UdpEndpoint _, in UdpEndpoint _, ReadOnlySpan<byte> datagram) => initiations += datagram[0] == 1 ? 1 : 0;
        a.Send(b);
        _lab.Advance(TimeSpan.FromSeconds(14.9));
        Assert.Equal(0, initiations);
        _lab.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(1, initiations);
    }

    [Fact]
    public void Persistent_keepalive_makes_a_session_and_keeps_sending()
    {
        var (a, b) = _lab.Pair();
        a.Device.SetPersistentKeepalive(a.PeerOf(b), TimeSpan.FromSeconds(25));
        _lab.Settle();
        Assert.True(a.PeerOf(b).HasSession);
        long rx = b.PeerOf(a).RxBytes;
        _lab.Advance(TimeSpan.FromSeconds(101));
        Assert.Equal(rx + 4 * 32, b.PeerOf(a).RxBytes);
    }

    [Fact]
    public void Both_sides_starting_at_once_end_with_traffic_both_ways()
    {
        var (a, b) = _lab.Pair();
        byte[] fromA = a.Send(b), fromB = b.Send(a, 200);
        while (a.Device.Queues[0].Outbound.Run() | b.Device.Queues[0].Outbound.Run()) { }
        a.Device.Control.Run();
        b.Device.Control.Run();
        _lab.Settle();
        Assert.Equal([fromA], b.ReceiveAll());
        Assert.Equal([fromB], a.ReceiveAll());
        for (int i = 0; i < 300; i++)
        {
            _lab.Advance(TimeSpan.FromSeconds(1));
            a.Send(b);
            b.Send(a);
        }
        _lab.Settle();
        Assert.Equal((300, 300), (b.ReceiveAll().Count, a.ReceiveAll().Count));
    }

    [Fact]
    public void A_peer_that_moved_is_followed_once_it_sends_something_authentic()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        a.Udp.Move(System.Net.IPAddress.Parse("192.0.2.99"));
        b.Send(a);
        _lab.Settle();
        Assert.Equal(a.Endpoint, b.PeerOf(a).Endpoint);
        a.Send(b);
        _lab.Settle();
        Assert.Equal(UdpEndpoint.From(System.Net.IPAddress.Parse("192.0.2.99"), 51820), b.PeerOf(a).Endpoint);
        a.ReceiveAll();
        byte[] back = b.Send(a, 300);
        _lab.Settle();
        Assert.Equal([back], a.ReceiveAll());
    }

    [Fact]
    public void A_restarted_peer_is_answered_though_its_sessions_are_gone()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        _lab.Advance(TimeSpan.FromSeconds(1));
        b.Device.RemovePeer(b.PeerOf(a));
        b.Knows(a);
        b.ReceiveAll();
        byte[] first = b.Send(a, 111);
        _lab.Settle();
        Assert.Equal([first], a.ReceiveAll());
        byte[] back = a.Send(b, 112);
        _lab.Settle();
        Assert.Equal([back], b.ReceiveAll());
    }

    [Fact]
    public void A_key_of_low_order_is_never_sent_to()
    {
        LabNode a = _lab.Add(1);
        byte[] lowOrder = new byte[32];
        lowOrder[0] = 1;
        Peer peer = a.Device.SetPeer(9, new X25519PublicKey(lowOrder))!;
        a.Device.AllowedIps.Set(IpPrefix.From(System.Net.IPAddress.Parse("10.0.0.9"), 32), peer);
        a.Device.SetEndpoint(peer, UdpEndpoint.From(System.Net.IPAddress.Parse("192.0.2.9"), 1));
        int datagrams = 0;
        _lab.Network.Tap = (in UdpEndpoint _, in UdpEndpoint _, ReadOnlySpan<byte> _) => datagrams++;
        a.Tun.Inject(LabNode.Packet(a.Inner, System.Net.IPAddress.Parse("10.0.0.9"), 60, 1));
        _lab.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(0, datagrams);
    }

    [Fact]
    public void A_new_static_key_takes_over_without_a_lost_packet()
    {
        var (a, b) = _lab.Pair();
        a.Send(b);
        _lab.Settle();
        b.ReceiveAll();
        int sentToB = 0, sentToA = 0;
        void Exchange()
        {
            a.Send(b);
            b.Send(a);
            (sentToA, sentToB) = (sentToA + 1, sentToB + 1);
            _lab.Advance(TimeSpan.FromSeconds(1));
        }
        for (int i = 0; i < 10; i++) Exchange();
        var next = X25519PrivateKey.Generate();
        X25519PublicKey nextPublic = next.PublicKey;
        a.Device.SetKeys(next, LabNode.Clone(a.Key));
        for (int i = 0; i < 10; i++) Exchange(); // b knows nothing of it yet
        b.Device.SetPeer(1, nextPublic, a.Key.PublicKey);
        for (int i = 0; i < 130; i++) Exchange(); // a handshake from either side falls into this time
        a.Device.SetKeys(LabNode.Clone(next));
        b.Device.SetPeer(1, nextPublic);
        for (int i = 0; i < 130; i++) Exchange();
        Assert.Equal((sentToB, sentToA), (b.ReceiveAll().Count, a.ReceiveAll().Count));
        Assert.Equal([nextPublic], b.PeerOf(a).PublicKeys);
    }

    [Fact]
    public void A_device_answers_to_the_key_before_while_it_holds_both()
    {
        var (a, b) = _lab.Pair();
        b.Device.SetKeys(X25519PrivateKey.Generate(), LabNode.Clone(b.Key));
        byte[] sent = a.Send(b);
        _lab.Settle();
        Assert.Equal([sent], b.ReceiveAll());
    }

    [Fact]
    public void A_peer_with_our_own_key_or_anothers_is_refused()
    {
        var (a, b) = _lab.Pair();
        Assert.Null(a.Device.SetPeer(7, a.Key.PublicKey));
        Assert.Null(a.Device.SetPeer(7, b.Key.PublicKey));
        Assert.Single(a.Device.Peers);
    }

    [Fact]
    public void On_a_network_that_loses_doubles_and_reorders_every_packet_sent_twice_a_second_gets_through_mostly_and_once()
    {
        var (a, b) = _lab.Pair();
        (_lab.Network.Loss, _lab.Network.Duplication, _lab.Network.Reordering) = (0.1, 0.1, 0.1);
        HashSet<uint> sent = [];
        List<byte[]> received = [];
        for (uint i = 0; i < 2000; i++)
        {
            byte[] packet = LabNode.Packet(a.Inner, b.Inner, 64, 0);
            BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(60), i);
            Assert.True(a.Tun.Inject(packet));
            sent.Add(i);
            _lab.Advance(TimeSpan.FromMilliseconds(500));
            received.AddRange(b.ReceiveAll());
        }
        _lab.Network.ReleaseHeld();
        _lab.Settle();
        received.AddRange(b.ReceiveAll());
        var got = received.Select(packet => BinaryPrimitives.ReadUInt32BigEndian(packet.AsSpan(60))).ToList();
        Assert.Equal(got.Count, got.Distinct().Count());
        Assert.Subset(sent, got.ToHashSet());
        Assert.InRange(got.Count, 1600, 2000);
    }
}
