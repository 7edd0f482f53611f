using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using Mesh.Crypto;
using Mesh.Node.Cli;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;
using Mesh.Node.Routes;
using Mesh.Node.Tun;
using Mesh.Node.Uapi;
using Mesh.Node.Udp;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Daemon;

/// <summary>The tunnel on this host: the WireGuard engine over a TUN interface and UDP sockets, and its addresses and routes.</summary>
internal sealed partial class MeshTunnel : ITunnel
{
    private readonly Lock _gate = new();
    private readonly RouteClient _routes;
    private readonly LinuxTunDevice _tun;
    private readonly LinuxUdpTransport _udp;
    private readonly WireGuardDevice _device;
    private readonly PolicyFilter _filter;
    private readonly TimeProvider _time;
    private readonly DeviceRunner _runner;
    private readonly UapiServer? _uapi;
    private readonly int _linkIndex;
    private readonly ILogger _log;
    private readonly HashSet<IPNetwork> _addresses = [];
    private readonly HashSet<IPNetwork> _routed = [];
    private readonly Dictionary<ulong, TunnelPeer> _peers = [];
    private readonly Meter _meter = new("Mesh.Node.Tunnel");
    private (X25519PublicKey Key, X25519PublicKey? Other, int Mtu)? _up;

    private MeshTunnel(RouteClient routes, LinuxTunDevice tun, LinuxUdpTransport udp, IInitiationClock stamps, TimeProvider time, ILogger log)
    {
        (_routes, _tun, _udp, _time, _log) = (routes, tun, udp, time, log);
        _linkIndex = routes.FindLink(tun.Name)?.Index
            ?? throw new UserException(ExitCode.Failed, $"the interface {tun.Name} was gone as soon as it was made", "Start the daemon again.");
        _device = new WireGuardDevice(new DeviceOptions(tun, udp, time, stamps));
        _filter = new PolicyFilter(_device.AllowedIps, _device.Queues.Count);
        _device.Filter = _filter;
        _device.PeerChanged += OnPeerChanged;
        _runner = new DeviceRunner(_device, tun, udp);
        _uapi = ListenForWg();
        _meter.CreateObservableCounter("mesh.tunnel.packets.dropped", Dropped, "{packet}", "Packets dropped, by reason");
        _meter.CreateObservableCounter("mesh.tunnel.flows.evicted", () => _filter.Evictions, "{flow}", "Flows forgotten before their time, for want of room");
        _meter.CreateObservableUpDownCounter("mesh.tunnel.peers", () => _device.Peers.Count, "{peer}", "Peers in the tunnel");
    }

    public event Action<ulong, TunnelPeerEvent>? PeerChanged;

    public string InterfaceName => _tun.Name;

    public int LinkIndex => _linkIndex;

    public int ListenPort => _udp.Port;

    public Task Failed => _runner.Completion;

    /// <summary>Makes the interface (down, without addresses) and opens the sockets.</summary>
    /// <param name="port">Null: 51820, or any when that is taken.</param>
    /// <param name="queues">How many are wanted.</param>
    /// <exception cref="UserException">No rights, no driver, name or port taken.</exception>
    public static MeshTunnel Open(
        RouteClient routes, string name, int? port, int queues, IInitiationClock stamps, TimeProvider time, ILogger log)
    {
        LinuxTunDevice? tun = null;
        LinuxUdpTransport? udp = null;
        try
        {
            // A TUN interface made persistent by hand, or by another program that died with it.
            routes.DeleteStaleTun(name);
            OffloadSet offloads = OffloadSwitches.FromEnvironment();
            tun = LinuxTunDevice.Open(name, offloads: offloads, queues: queues);
            udp = OpenUdp(port, offloads, tun.Queues.Count);
            var tunnel = new MeshTunnel(routes, tun, udp, stamps, time, log);
            if (tun.Queues.Count < queues) tunnel.LogOneQueue(tun.Name, queues);
            return tunnel;
        }
        catch (KernelException e)
        {
            udp?.Dispose();
            tun?.Dispose();
            throw TunnelErrors.Explain(e);
        }
    }

    public void BringUp(X25519PrivateKey key, X25519PrivateKey? other, IReadOnlyList<IPNetwork> addresses, int mtu)
    {
        lock (_gate)
        {
            try
            {
                SetUp(key, other, mtu);
                foreach (var gone in _addresses.Except(addresses).ToArray())
                {
                    _routes.RemoveAddress(_linkIndex, gone.BaseAddress, gone.PrefixLength);
                    _addresses.Remove(gone);
                }
                foreach (var address in addresses.Except(_addresses).ToArray()) AddAddress(address);
            }
            catch (KernelException e)
            {
                throw TunnelErrors.Explain(e);
            }
        }
    }

    public void TakeDown()
    {
        lock (_gate)
        {
            try
            {
                SetPeers([], FilterView.Empty);
                foreach (var address in _addresses) _routes.RemoveAddress(_linkIndex, address.BaseAddress, address.PrefixLength);
                _addresses.Clear();
                _routes.SetUp(_linkIndex, up: false);
            }
            catch (NetlinkException e) when (e.IsNoSuchLink)
            {
                // Somebody deleted the interface: all that hung on it went with it.
                _addresses.Clear();
            }
            _device.SetKeys(null);
            _up = null;
        }
    }

    public void Enforce(IReadOnlyCollection<TunnelPeer> peers, FilterView view)
    {
        lock (_gate)
        {
            Enforce(view.Without(MapToTunnel.Moving(_peers, peers)));
        }
    }

    public void SetPeers(IReadOnlyCollection<TunnelPeer> peers, FilterView view)
    {
        lock (_gate)
        {
            Enforce(peers, view);
            var wanted = peers.ToDictionary(peer => peer.Id);
            foreach (ulong gone in _peers.Keys.Where(id => !wanted.ContainsKey(id)).ToArray())
            {
                if (_device.FindPeer(gone) is { } peer) _device.RemovePeer(peer);
                _peers.Remove(gone);
            }
            // First what peers lose, then what they gain: a prefix may move from one to another.
            foreach (var (id, peer) in wanted)
                if (_peers.TryGetValue(id, out var before)) TakePrefixes(id, before.Prefixes.Except(peer.Prefixes));
            var refused = wanted.Values.Where(peer => !TrySet(peer)).Select(peer => peer.Id).ToHashSet();
            Enforce(view.Without(refused));
            SyncRoutes(wanted.Values.SelectMany(peer => peer.Prefixes).ToHashSet());
        }
    }

    public void SetEndpoint(ulong peer, in UdpEndpoint endpoint)
    {
        if (_device.FindPeer(peer) is { } known) _device.SetEndpoint(known, endpoint);
    }

    public void Connect(ulong peer)
    {
        if (_device.FindPeer(peer) is { } known) _device.Connect(known);
    }

    public TunnelPeerState? Find(ulong peer) =>
        _device.FindPeer(peer) is { } known
            ? new TunnelPeerState(known.Endpoint, known.HasSession, known.LastHandshake, known.RxBytes, known.TxBytes)
            : null;

    public bool IsInside(IPAddress address)
    {
        if (_device.AllowedIps.Lookup(IpAddressBits.From(address)) is not null) return true;
        lock (_gate) return _addresses.Any(own => own.Contains(address));
    }

    public ValueTask DisposeAsync()
    {
        try
        {
            TakeDown();
        }
        catch (NetlinkException e)
        {
            // The interface itself goes in a moment, and takes along what could not be removed from it.
            LogTakeDownFailed(e.Message);
        }
        _device.PeerChanged -= OnPeerChanged;
        _meter.Dispose();
        _runner.Dispose();
        _device.Dispose();
        _udp.Dispose();
        _tun.Dispose();
        return ValueTask.CompletedTask;
    }

    // Called for every map; what an administrator changed meanwhile by hand is left alone.
    private void SetUp(X25519PrivateKey key, X25519PrivateKey? other, int mtu)
    {
        var wanted = (key.PublicKey, other?.PublicKey, mtu);
        if (_up != wanted)
        {
            if (_up?.Key != key.PublicKey || _up?.Other != other?.PublicKey) _device.SetKeys(CopyOf(key), other is null ? null : CopyOf(other));
            _tun.SetMtu(mtu);
            _routes.SetUp(_linkIndex, up: true);
            _up = wanted;
        }
    }

    /// <summary>wg(8) shows the tunnel as any other; what is in it is the coordinator's to set.</summary>
    private UapiServer? ListenForWg()
    {
        try
        {
            return UapiServer.Listen(_tun.Name, _device, new ReadOnlyHost(_udp));
        }
        catch (IOException e)
        {
            // The tunnel does not need it.
            LogNoUapi(e.Message);
            return null;
        }
    }

    private static LinuxUdpTransport OpenUdp(int? port, OffloadSet offloads, int queues)
    {
        try
        {
            return LinuxUdpTransport.Open(port ?? DaemonOptions.PreferredPort, offloads, queues);
        }
        catch (UdpException e) when (port is null && e.IsPortInUse)
        {
            return LinuxUdpTransport.Open(0, offloads, queues);
        }
    }

    private static X25519PrivateKey CopyOf(X25519PrivateKey key)
    {
        Span<byte> bytes = stackalloc byte[SecretKey.Length];
        key.CopyTo(bytes);
        try
        {
            return new X25519PrivateKey(bytes);
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(bytes);
        }
    }

    private void AddAddress(IPNetwork address)
    {
        try
        {
            _routes.AddAddress(_linkIndex, address.BaseAddress, address.PrefixLength);
            _addresses.Add(address);
        }
        catch (NetlinkException e) when (address.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6)
        {
            // A host with IPv6 switched off still takes part over IPv4.
            LogNoIPv6(address.ToString(), e.Message);
        }
    }

    private bool TrySet(TunnelPeer peer)
    {
        _peers.TryGetValue(peer.Id, out var before);
        if (before is not null && before.Keys.SequenceEqual(peer.Keys) && before.Prefixes.SequenceEqual(peer.Prefixes)) return true;
        var known = _device.SetPeer(peer.Id, [.. peer.Keys]);
        if (known is null)
        {
            // What it had is not its any more.
            if (_device.FindPeer(peer.Id) is { } stale) _device.RemovePeer(stale);
            _peers.Remove(peer.Id);
            LogKeyRefused(peer.Id);
            return false;
        }
        foreach (var prefix in peer.Prefixes) _device.AllowedIps.Set(ToEngine(prefix), known);
        _peers[peer.Id] = peer;
        return true;
    }

    private void Enforce(FilterView view) => _filter.Enforce(view, _time.GetUtcNow(), _device.Now);

    private void TakePrefixes(ulong id, IEnumerable<IPNetwork> prefixes)
    {
        if (_device.FindPeer(id) is not { } known) return;
        foreach (var prefix in prefixes) _device.AllowedIps.Remove(ToEngine(prefix), known);
    }

    private void SyncRoutes(HashSet<IPNetwork> wanted)
    {
        foreach (var gone in _routed.Except(wanted).ToArray())
        {
            _routes.RemoveRoute(new DeviceRoute(gone, _linkIndex));
            _routed.Remove(gone);
        }
        foreach (var prefix in wanted.Except(_routed).ToArray())
        {
            try
            {
                _routes.AddRoute(new DeviceRoute(prefix, _linkIndex));
                _routed.Add(prefix);
            }
            catch (NetlinkException e)
            {
                // One peer that can't be routed to (another program's route, IPv6 off) must not cost the others.
                LogNoRoute(prefix.ToString(), e.Message);
            }
        }
    }

    private void OnPeerChanged(Peer peer, PeerEvent what) => PeerChanged?.Invoke(peer.Id, what switch
    {
        PeerEvent.SessionMade => TunnelPeerEvent.SessionMade,
        PeerEvent.HandshakeRetried => TunnelPeerEvent.HandshakeUnanswered,
        _ => TunnelPeerEvent.HandshakeGivenUp,
    });

    private IEnumerable<Measurement<long>> Dropped() =>
        _device.Drops.All().Select(drop => new Measurement<long>(drop.Count, new KeyValuePair<string, object?>("reason", drop.Reason.ToString())));

    private static IpPrefix ToEngine(IPNetwork prefix) => IpPrefix.From(prefix.BaseAddress, prefix.PrefixLength);

    [LoggerMessage(EventId = 2101, Level = LogLevel.Warning, Message = "No IPv6 in the tunnel: address {Address} not set: {Reason}")]
    private partial void LogNoIPv6(string address, string reason);

    [LoggerMessage(EventId = 2102, Level = LogLevel.Error, Message = "Peer {Peer} is left out: its key is this node's or another peer's")]
    private partial void LogKeyRefused(ulong peer);

    [LoggerMessage(EventId = 2103, Level = LogLevel.Error, Message = "No route to {Prefix}: {Reason}")]
    private partial void LogNoRoute(string prefix, string reason);

    [LoggerMessage(EventId = 2105, Level = LogLevel.Warning, Message = "wg show will not work: {Reason}")]
    private partial void LogNoUapi(string reason);

    [LoggerMessage(EventId = 2104, Level = LogLevel.Warning, Message = "Taking the tunnel down: {Reason}")]
    private partial void LogTakeDownFailed(string reason);

    [LoggerMessage(EventId = 2106, Level = LogLevel.Warning, Message = "{Name} has one queue instead of {Queues}: it was made before, without multi_queue")]
    private partial void LogOneQueue(string name, int queues);

    private sealed class ReadOnlyHost(LinuxUdpTransport udp) : IUapiHost
    {
        public int ListenPort => udp.Port;

        public uint Fwmark => 0;

        public bool IsReadOnly => true;

        public void SetListenPort(int port) => throw new NotSupportedException("the device is read-only");

        public void SetFwmark(uint mark) => throw new NotSupportedException("the device is read-only");
    }
}
