using System.Buffers.Binary;
using System.Net;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Tests.Device;
using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Fuzz;

/// <summary>
/// The device as a whole, against a peer gone bad, a flood, and a stranger who changes what was heard, while its settings change
/// and time passes. After each input: no answer to who does not know our key, no packet but from its peer's own
/// addresses. After each epoch: an honest pair still talks, and the tables are empty once all have fallen silent.
/// </summary>
public sealed class DeviceFuzz(ITestOutputHelper output)
{
    private const int InputsPerEpoch = 400;
    private const ulong AttackersId = 9;

    private readonly long[] _drops = new long[Enum.GetValues<DropReason>().Length];
    private long _taken;
    private long _sessions;
    private long _cookies;

    [Fact]
    public void The_device_survives_a_peer_gone_bad_and_answers_no_stranger()
    {
        var corpus = Corpus.Hex("inner.hex");
        var run = new FuzzRun("device", output);
        run.Run(12, random =>
        {
            using var epoch = new Epoch(random, corpus, run);
            epoch.Run();
            foreach (var (reason, count) in epoch.Victim.Device.Drops.All()) _drops[(int)reason] += count;
            _taken += epoch.Taken;
            _sessions += epoch.SessionsMade;
            _cookies += epoch.Cookies;
        }, () => $"{_sessions} sessions, {_taken} packets taken, {_cookies} cookies, drops: " + string.Join(' ',
            Enum.GetValues<DropReason>().Where(reason => _drops[(int)reason] > 0).Select(reason => $"{reason}={_drops[(int)reason]}")));
        Assert.True(_taken > 0 && _sessions > 0 && _cookies > 0);
    }

    private sealed class Epoch : IDisposable
    {
        private readonly DeviceLab _lab = new();
        private readonly Random _random;
        private readonly Mutator _packets;
        private readonly FuzzRun _run;
        private readonly LabNode _friend;
        private readonly Attacker _attacker;
        private readonly List<byte[]> _wire = [];
        private readonly HashSet<string> _heard = [];
        private readonly byte[] _taken = new byte[70_000];
        private int _toAttacker;

        public Epoch(Random random, IReadOnlyList<byte[]> corpus, FuzzRun run)
        {
            (_random, _run) = (random, run);
            _packets = new Mutator(random, corpus);
            (Victim, _friend) = _lab.Pair();
            _attacker = new Attacker(_lab, Victim, random);
            AddAttacker();
            Victim.Device.PeerChanged += (peer, what) => SessionsMade += peer.Id == AttackersId && what == PeerEvent.SessionMade ? 1 : 0;
            _lab.Network.Tap = Tap;
        }

        public LabNode Victim { get; }

        public int Taken { get; private set; }

        public int SessionsMade { get; private set; }

        public int Cookies { get; private set; }

        public void Run()
        {
            for (int i = 0; i < InputsPerEpoch; i++)
            {
                Step();
                _lab.Settle();
                _attacker.Listen();
                CheckHost();
                CheckTables();
            }
            Befriend();
            _lab.Network.Tap = null;
            Peer? bad = Victim.Device.FindPeer(AttackersId);
            if (bad is not null) Victim.Device.SetPersistentKeepalive(bad, TimeSpan.Zero);
            _lab.Advance(TimeSpan.FromMinutes(25));
            CheckHost();
            Assert.Equal(0, Victim.Device.Indices.Count);
            Assert.Equal(Timing.StagedBytes, Victim.Device.StagingBudget.Left);
            Assert.Equal(0, Victim.Device.HandshakeQueue.Count);
            Assert.Equal(0, Victim.Device.Quiescence.Waiting);
        }

        public void Dispose()
        {
            _attacker.Dispose();
            _lab.Dispose();
        }

        private void Step()
        {
            switch (_random.Next(16))
            {
                case 0 or 1 or 2:
                    Send(MaybeChanged(_attacker.Initiation(), sign: true));
                    break;
                case 3 or 4:
                    if (_attacker.Response() is { } response) Send(MaybeChanged(response, sign: true));
                    break;
                case 5 or 6 or 7 or 8:
                    for (int left = _random.Next(1, 8); left > 0; left--) SendOnSession();
                    break;
                case 9:
                    if (_attacker.CookieReply() is { } cookie) Send(MaybeChanged(cookie, sign: false));
                    break;
                case 10:
                    if (_wire.Count > 0) FromNowhere(_packets.Change(_wire[_random.Next(_wire.Count)]));
                    break;
                case 11:
                    HostSends();
                    break;
                case 12:
                    double[] seconds = [0.001, 0.025, 0.5, 1, 6, 16, 121, 181, 600];
                    _lab.Advance(TimeSpan.FromSeconds(seconds[_random.Next(seconds.Length)]));
                    break;
                case 13:
                    Flood();
                    break;
                case 14:
                    Configure();
                    break;
                case 15:
                    byte[] noise = new byte[_random.Next(1, 256)];
                    _random.NextBytes(noise);
                    if (noise.Length >= 4 && _random.Next(4) != 0) BinaryPrimitives.WriteUInt32LittleEndian(noise, (uint)_random.Next(6));
                    FromNowhere(noise);
                    break;
            }
        }

        private void SendOnSession()
        {
            byte[] packet = _random.Next(3) == 0 ? _packets.Pick() : _packets.Next();
            if (_random.Next(16) == 0) packet = [];
            if (_attacker.Transport(packet) is { } transport) Send(_random.Next(8) == 0 ? _packets.Change(transport) : transport);
        }

        /// <summary>From someone who knows no more than what was heard on the wire: never answered, wherever it comes from.</summary>
        private void FromNowhere(byte[] datagram)
        {
            _run.Try(datagram);
            _lab.Settle();
            _attacker.Listen();
            int before = _toAttacker;
            Assert.Equal(UdpSendResult.Sent, _attacker.Stranger.Send(datagram, Victim.Endpoint));
            _lab.Settle();
            // A copy of what an honest end said is as good as what it said; a message with our mac1 shows that the sender knows us.
            if (_heard.Contains(Convert.ToHexString(datagram)) || Attacker.HasMac1(datagram, Victim.Key.PublicKey)) return;
            Assert.True(_toAttacker == before, "a stranger was answered");
        }

        private void Send(byte[] datagram)
        {
            _run.Try(datagram);
            FakeUdpTransport from = _random.Next(8) == 0 ? _attacker.Stranger : _attacker.Udp;
            Assert.Equal(UdpSendResult.Sent, from.Send(datagram, Victim.Endpoint));
        }

        private byte[] MaybeChanged(byte[] message, bool sign)
        {
            if (_random.Next(3) != 0) return message;
            byte[] changed = [.. message];
            for (int left = _random.Next(1, 4); left > 0; left--) changed[_random.Next(changed.Length)] ^= (byte)(1 << _random.Next(8));
            if (_random.Next(8) == 0) changed = _packets.Change(changed);
            return sign && _random.Next(4) != 0 ? _attacker.Sign(changed) : changed;
        }

        private void HostSends()
        {
            LabNode from = _random.Next(4) == 0 ? _friend : Victim;
            byte[] packet = _random.Next(4) == 0 ? _packets.Next() : LabNode.Packet(from.Inner, from == Victim && _random.Next(2) == 0 ? IPAddress.Parse("10.0.0.9") : from == Victim ? _friend.Inner : Victim.Inner, _random.Next(20, 1420), 7);
            _run.Try(packet);
            for (int i = _random.Next(8) == 0 ? 200 : 1; i > 0; i--) from.Tun.Inject(packet);
        }

        /// <summary>More handshake messages than are looked at in time; some of them by someone who knows our key.</summary>
        private void Flood()
        {
            int messages = _random.Next(16) == 0 ? Timing.HandshakeQueue + 30 : Timing.LoadedQueue + 30;
            for (int i = 0; i < messages; i++)
            {
                byte[] junk = new byte[InitiationLayout.Length];
                _random.NextBytes(junk.AsSpan(4));
                junk[0] = 1;
                if (i % 3 == 0) _attacker.Sign(junk);
                _attacker.Stranger.Send(junk, Victim.Endpoint);
            }
            while (Victim.Device.Queues[0].Inbound.Run()) { }
            Send(_attacker.Initiation());
            _lab.Settle();
            _attacker.Listen();
            Send(_attacker.Initiation()); // with the cookie, as often as not
            for (int i = _random.Next(0, 12); i > 0; i--) Send(_attacker.Initiation());
        }

        private void Configure()
        {
            _run.Try("configure"u8);
            WireGuardDevice device = Victim.Device;
            Peer? bad = device.FindPeer(AttackersId);
            switch (_random.Next(11))
            {
                case 0 when bad is not null:
                    device.RemovePeer(bad);
                    _attacker.Sessions.Clear();
                    AddAttacker();
                    break;
                case 1 when bad is not null:
                    device.SetEndpoint(bad, _random.Next(3) == 0 ? default : Attacker.Endpoint);
                    break;
                case 2 when bad is not null:
                    _random.NextBytes(_attacker.PresharedKey);
                    device.SetPresharedKey(bad, new PresharedKey(_attacker.PresharedKey));
                    break;
                case 3 when bad is not null:
                    device.SetPersistentKeepalive(bad, TimeSpan.FromSeconds(_random.Next(3) * 25));
                    break;
                case 4 when bad is not null:
                    device.Connect(bad);
                    break;
                case 5 when bad is not null:
                    device.AllowedIps.RemoveAll(bad);
                    Own(bad);
                    break;
                case 6:
                    // To a new key and back: handshakes under both are answered meanwhile.
                    device.SetKeys(X25519PrivateKey.Generate(), LabNode.Clone(Victim.Key));
                    _lab.Settle();
                    device.SetKeys(LabNode.Clone(Victim.Key));
                    break;
                case 7:
                    // No key to speak under, while packets wait.
                    device.SetKeys(null);
                    Victim.Send(_friend);
                    _lab.Settle();
                    device.SetKeys(LabNode.Clone(Victim.Key));
                    break;
                case 8:
                    // A key of low order is nobody's: nothing is ever sent to it.
                    Peer nobody = device.SetPeer(77, new X25519PublicKey(Attacker.LowOrder))!;
                    device.SetEndpoint(nobody, UdpEndpoint.From(Attacker.Address, 667));
                    int before = _toAttacker;
                    device.Connect(nobody);
                    _lab.Settle();
                    Assert.Equal(before, _toAttacker);
                    device.RemovePeer(nobody);
                    break;
                case 9:
                    // A host that does not read: its queue runs over.
                    byte[] packet = LabNode.Packet(_friend.Inner, Victim.Inner, 40, 1);
                    for (int i = 0; i < 1100; i++)
                    {
                        _friend.Tun.Inject(packet);
                        if (i % 500 == 0) _lab.Settle();
                    }
                    _lab.Settle();
                    break;
                case 10:
                    Victim.Tun.SetMtu(_random.Next(4) == 0 ? (int)(Mutator.Edge(_random) & 0xffff) : 1420);
                    break;
            }
        }

        private void AddAttacker()
        {
            Peer peer = Victim.Device.SetPeer(AttackersId, _attacker.Key.PublicKey)!;
            Victim.Device.SetPresharedKey(peer, new PresharedKey(_attacker.PresharedKey));
            Victim.Device.SetEndpoint(peer, Attacker.Endpoint);
            Own(peer);
        }

        private void Own(Peer peer)
        {
            Victim.Device.AllowedIps.Set(IpPrefix.From(IPAddress.Parse("10.0.0.9"), 32), peer);
            Victim.Device.AllowedIps.Set(IpPrefix.From(IPAddress.Parse("fd00::9"), 128), peer);
        }

        private void Tap(in UdpEndpoint from, in UdpEndpoint to, ReadOnlySpan<byte> datagram)
        {
            byte[] copy = datagram.ToArray();
            bool byVictim = from == Victim.Endpoint;
            if (byVictim || from == _friend.Endpoint || from.Port == 666) _heard.Add(Convert.ToHexString(copy));
            if (_wire.Count < 500) _wire.Add(copy);
            else _wire[_random.Next(_wire.Count)] = copy;
            if (!byVictim || to.Port is not (666 or 667)) return;
            _toAttacker += to.Port == 667 ? 1 : 0;
            if (datagram[0] == (byte)MessageType.CookieReply) Cookies++;
        }

        /// <summary>What the victim's host was given: whole packets from addresses of a peer.</summary>
        private void CheckHost()
        {
            while (Victim.Tun.TryTake(_taken, out int length))
            {
                Assert.True(InnerPacket.TryGetSource(_taken.AsSpan(0, length), out IpAddressBits source, out int says));
                Assert.Equal(says, length);
                string address = source.ToIPAddress().ToString();
                Assert.Contains(address, (string[])["10.0.0.2", "10.0.0.9", "fd00::9"]);
                Taken += address != "10.0.0.2" ? 1 : 0;
            }
            _friend.ReceiveAll();
        }

        private void CheckTables()
        {
            WireGuardDevice device = Victim.Device;
            Assert.Equal(2, device.Peers.Count);
            Assert.InRange(device.Indices.Count, 0, 4 * device.Peers.Count);
            Assert.InRange(device.StagingBudget.Left, 0, Timing.StagedBytes);
            Assert.Equal(_friend.Key.PublicKey, device.FindPeer(2)!.PublicKeys[0]);
        }

        /// <summary>Whatever happened, two honest ends find each other again within a minute, and then lose nothing.</summary>
        private void Befriend()
        {
            Victim.Tun.SetMtu(1420);
            for (int second = 0; second < 60; second++)
            {
                Victim.Send(_friend);
                _friend.Send(Victim);
                _lab.Advance(TimeSpan.FromSeconds(1));
            }
            Victim.ReceiveAll();
            _friend.ReceiveAll();
            byte[] there = Victim.Send(_friend, 333), back = _friend.Send(Victim, 444);
            _lab.Settle();
            Assert.Equal(there, Assert.Single(_friend.ReceiveAll()));
            Assert.Contains(Victim.ReceiveAll(), packet => packet.AsSpan().SequenceEqual(back));
        }
    }
}
