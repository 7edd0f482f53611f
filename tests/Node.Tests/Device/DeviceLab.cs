using System.Buffers.Binary;
using System.Net;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Offload;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Device;

/// <summary>Devices on one in-memory underlay and one virtual clock, driven by turns on the test's thread.</summary>
internal sealed class DeviceLab : IDisposable
{
    private readonly List<LabNode> _nodes = [];

    public ManualTime Time { get; } = new();

    public FakeUdpNetwork Network { get; } = new(seed: 7);

    /// <summary>What the kernels under the nodes that are added from now on can do.</summary>
    public OffloadSet Offloads { get; init; }

    /// <summary>How many queues the nodes that are added have.</summary>
    public int Queues { get; init; } = 1;

    public LabNode Add(int number, TimeSpan? jitter = null)
    {
        var node = new LabNode(this, number, jitter ?? TimeSpan.Zero);
        _nodes.Add(node);
        return node;
    }

    /// <summary>Two nodes that know each other's keys, endpoints and addresses.</summary>
    public (LabNode A, LabNode B) Pair(PresharedKey? psk = null)
    {
        LabNode a = Add(1), b = Add(2);
        a.Knows(b);
        b.Knows(a);
        if (psk is not null)
        {
            Span<byte> bytes = stackalloc byte[SecretKey.Length];
            psk.CopyTo(bytes);
            a.Device.SetPresharedKey(a.PeerOf(b), new PresharedKey(bytes));
            b.Device.SetPresharedKey(b.PeerOf(a), new PresharedKey(bytes));
        }
        return (a, b);
    }

    /// <summary>A pair with a session that has carried a packet each way.</summary>
    public (LabNode A, LabNode B) Connected()
    {
        var (a, b) = Pair();
        a.Send(b);
        Settle();
        b.Send(a);
        Settle();
        a.ReceiveAll();
        b.ReceiveAll();
        return (a, b);
    }

    /// <summary>Runs every path of every device until none has anything to do now.</summary>
    public void Settle()
    {
        for (bool busy = true; busy;)
        {
            busy = false;
            foreach (LabNode node in _nodes)
            {
                foreach (DeviceQueue queue in node.Device.Queues)
                    while (queue.Outbound.Run() | queue.Inbound.Run()) busy = true;
                node.NextWake = node.Device.Control.Run();
                if (node.Device.HandshakeQueue.Count > 0 || !node.Device.Attention.IsEmpty) busy = true;
            }
        }
    }

    /// <summary>Lets time pass, stopping at every timer on the way.</summary>
    public void Advance(TimeSpan time)
    {
        long end = Time.GetTimestamp() + time.Ticks;
        Settle();
        while (true)
        {
            long step = Math.Max(_nodes.Min(node => node.NextWake - node.Device.Now), 1);
            if (step > end - Time.GetTimestamp()) break;
            Time.Advance(TimeSpan.FromTicks(step));
            Settle();
        }
        Time.Advance(TimeSpan.FromTicks(end - Time.GetTimestamp()));
        Settle();
    }

    public void Dispose()
    {
        foreach (LabNode node in _nodes) node.Dispose();
    }
}

internal sealed class LabNode : IDisposable
{
    private readonly byte[] _taken = new byte[70_000];

    public LabNode(DeviceLab lab, int number, TimeSpan jitter)
    {
        Number = number;
        Tun = new FakeTun(mtu: 1420, offloads: lab.Offloads, queues: lab.Queues);
        Udp = lab.Network.Attach(51820, lab.Queues, Underlay, Underlay6);
        if (lab.Offloads.HasFlag(OffloadSet.UdpGso)) Udp.MaxSegments = 64;
        Udp.JoinsReceived = lab.Offloads.HasFlag(OffloadSet.UdpGro);
        Device = new WireGuardDevice(new DeviceOptions(Tun, Udp, lab.Time, new InitiationClock(lab.Time), () => jitter));
        Device.SetKeys(Clone(Key));
        Device.PeerChanged += (peer, what) => Events.Add((peer.Id, what));
    }

    public int Number { get; }

    public X25519PrivateKey Key { get; } = X25519PrivateKey.Generate();

    public FakeTun Tun { get; }

    public FakeUdpTransport Udp { get; }

    public WireGuardDevice Device { get; }

    public long NextWake { get; set; }

    public List<(ulong Peer, PeerEvent What)> Events { get; } = [];

    public IPAddress Underlay => new([192, 0, 2, (byte)Number]);

    public IPAddress Underlay6 => new([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)Number]);

    public IPAddress Inner => new([10, 0, 0, (byte)Number]);

    public UdpEndpoint Endpoint => UdpEndpoint.From(Underlay, 51820);

    public static X25519PrivateKey Clone(X25519PrivateKey key)
    {
        Span<byte> bytes = stackalloc byte[SecretKey.Length];
        key.CopyTo(bytes);
        return new X25519PrivateKey(bytes);
    }

    public Peer PeerOf(LabNode other) => Device.FindPeer((ulong)other.Number)!;

    public Peer Knows(LabNode other, bool withEndpoint = true)
    {
        Peer peer = Device.SetPeer((ulong)other.Number, other.Key.PublicKey)!;
        Device.AllowedIps.Set(IpPrefix.From(other.Inner, 32), peer);
        if (withEndpoint) Device.SetEndpoint(peer, other.Endpoint);
        return peer;
    }

    /// <summary>The host sends a packet of this length and content to the other's inner address.</summary>
    public byte[] Send(LabNode to, int length = 100, byte fill = 0x5a, IPAddress? source = null)
    {
        byte[] packet = Packet(source ?? Inner, to.Inner, length, fill);
        Assert.True(Tun.Inject(packet));
        return packet;
    }

    public byte[]? Receive() => Tun.TryTake(_taken, out int length) ? _taken[..length] : null;

    public List<byte[]> ReceiveAll()
    {
        List<byte[]> all = [];
        while (Receive() is { } packet) all.Add(packet);
        return all;
    }

    public static byte[] Packet(IPAddress from, IPAddress to, int length, byte fill)
    {
        byte[] packet = new byte[length];
        packet.AsSpan(20).Fill(fill);
        packet[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)length);
        packet[8] = 64;
        packet[9] = 17;
        from.GetAddressBytes().CopyTo(packet, 12);
        to.GetAddressBytes().CopyTo(packet, 16);
        return packet;
    }

    public void Dispose()
    {
        Device.Dispose();
        Udp.Dispose();
        Tun.Dispose();
        Key.Dispose();
    }
}
