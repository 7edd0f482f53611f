using System.Net;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.Simulation;

/// <summary>A machine: its keys, clock and place, which outlive restarts, and its device while it is up.</summary>
internal sealed class SimulatedNode(World world, int number, bool keepsStamps) : IDisposable
{
    private const int Port = 51820;

    private readonly byte[] _packet = new byte[70_000];
    private Tai64N _durableBound;
    private TimeSpan _bootedAt;
    private int _moves;

    public int Number { get; } = number;

    /// <summary>The bound on initiations' time stamps is on disk (see <see cref="InitiationClock"/>).</summary>
    public bool KeepsStamps { get; } = keepsStamps;

    public X25519PrivateKey Key { get; } = X25519PrivateKey.Generate();

    public NodeClock Clock { get; } = new(world.Time);

    public FakeTun Tun { get; private set; } = null!;

    public FakeUdpTransport Udp { get; private set; } = null!;

    public WireGuardDevice? Device { get; private set; }

    public bool IsUp => Device is not null;

    /// <summary>When the control path has to run again.</summary>
    public TimeSpan WakeAt { get; private set; } = TimeSpan.MaxValue;

    public TimeSpan MovedAt { get; private set; } = TimeSpan.FromDays(-1);

    /// <summary>The greatest time stamp that an initiation of any of this node's lives carried.</summary>
    public Tai64N NewestStamp { get; private set; }

    /// <summary>Its clock stands behind a stamp that it once sent, and it does not know: peers drop its initiations as replays.</summary>
    public bool IsBehind => !KeepsStamps && _lifeBeganBehind && Tai64N.From(Clock.GetUtcNow()) <= _newestStampBefore;

    private bool _lifeBeganBehind;
    private Tai64N _newestStampBefore;

    public UdpEndpoint Endpoint4 => UdpEndpoint.From(Address4, Port);

    public UdpEndpoint Endpoint6 => UdpEndpoint.From(Address6, Port);

    private IPAddress Address4 => new([10, (byte)Number, (byte)(_moves >> 8), (byte)_moves]);

    private IPAddress Address6 => new([0x20, 1, 0x0d, 0xb8, 0, 0, 0, (byte)Number, 0, 0, 0, 0, 0, 0, (byte)(_moves >> 8), (byte)_moves]);

    public static IPAddress InnerAddressOf(int number) => new([100, 64, 0, (byte)number]);

    /// <summary>Number of the node that has, or had, the address; 0 for a stranger's.</summary>
    public static int OwnerOf(in UdpEndpoint endpoint) =>
        endpoint.Family == UdpFamily.IPv4
            ? endpoint.AddressLow >> 24 == 10 ? (int)(endpoint.AddressLow >> 16) & 0xff : 0
            : (int)endpoint.AddressHigh & 0xff;

    public bool IsAt(in UdpEndpoint endpoint) => endpoint == Endpoint4 || endpoint == Endpoint6;

    public Peer? PeerOf(int other) => Device?.FindPeer((ulong)other);

    public void Start()
    {
        // Every other machine has two queues, so that what a peer sends before and after a move comes over both.
        int queues = 1 + Number % 2;
        Udp = world.Network.Attach(Port, queues, Address4, Address6);
        Tun = new FakeTun(queues: queues);
        IInitiationClock stamps = KeepsStamps
            ? new InitiationClock(Clock, _durableBound, bound => _durableBound = bound)
            : new InitiationClock(Clock);
        _newestStampBefore = NewestStamp;
        _lifeBeganBehind = Tai64N.From(Clock.GetUtcNow()) <= NewestStamp;
        _bootedAt = world.Time.Now;
        Device = new WireGuardDevice(new DeviceOptions(Tun, Udp, Clock, new Recorder(this, stamps), world.Jitter));
        Device.PeerChanged += (peer, what) =>
        {
            if (what == PeerEvent.HandshakeGivenUp) world.PacketsGivenUp(this, (int)peer.Id);
        };
        Device.SetKeys(CloneOf(Key));
        foreach (Pair pair in world.PairsOf(this)) pair.Configure(this);
        Run();
    }

    /// <summary>Without a word to anyone, as by a power cut.</summary>
    public void Stop()
    {
        WireGuardDevice device = Device!;
        Device = null;
        WakeAt = TimeSpan.MaxValue;
        device.Dispose();
        Udp.Dispose();
        Tun.Dispose();
        world.Audit.NodeStopped(this, device);
    }

    /// <summary>Other addresses, the same port.</summary>
    public void Move()
    {
        _moves++;
        MovedAt = world.Time.Now;
        if (IsUp) Udp.Move(Address4, Address6);
    }

    /// <summary>Runs every path until none has anything to do now, and takes what the host is given.</summary>
    public void Run()
    {
        if (Device is not { } device) return;
        for (bool busy = true; busy;)
        {
            busy = false;
            foreach (DeviceQueue queue in device.Queues)
                while (queue.Outbound.Run() | queue.Inbound.Run()) busy = true;
            long next = device.Control.Run();
            WakeAt = next == long.MaxValue ? TimeSpan.MaxValue : _bootedAt + TimeSpan.FromTicks(next - 1);
            if (device.HandshakeQueue.Count > 0 || !device.Attention.IsEmpty) busy = true;
        }
        while (Tun.TryTake(_packet, out int length)) world.HostReceived(this, _packet.AsSpan(0, length));
    }

    public void Dispose()
    {
        if (IsUp) Stop();
        Key.Dispose();
    }

    private static X25519PrivateKey CloneOf(X25519PrivateKey key)
    {
        Span<byte> bytes = stackalloc byte[SecretKey.Length];
        key.CopyTo(bytes);
        return new X25519PrivateKey(bytes);
    }

    private sealed class Recorder(SimulatedNode node, IInitiationClock inner) : IInitiationClock
    {
        public Tai64N Next()
        {
            Tai64N stamp = inner.Next();
            if (stamp > node.NewestStamp) node.NewestStamp = stamp;
            return stamp;
        }
    }
}
