using System.Collections.Concurrent;
using System.Net;
using Mesh.Crypto;
using Mesh.Node.Daemon;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.LocalApi;

/// <summary>A tunnel that only remembers what it was told.</summary>
internal sealed class FakeTunnel : ITunnel
{
    private readonly ConcurrentDictionary<ulong, UdpEndpoint> _endpoints = new();

    public event Action<ulong, TunnelPeerEvent>? PeerChanged;

    public string InterfaceName => "fake0";

    public int ListenPort => 51820;

    public Task Failed { get; } = new TaskCompletionSource().Task;

    public bool IsUp { get; private set; }

    public IReadOnlyList<IPNetwork> Addresses { get; private set; } = [];

    public int Mtu { get; private set; }

    public IReadOnlyCollection<TunnelPeer> Peers { get; private set; } = [];

    public IReadOnlyDictionary<ulong, UdpEndpoint> Endpoints => _endpoints;

    public void Raise(ulong peer, TunnelPeerEvent what) => PeerChanged?.Invoke(peer, what);

    public void BringUp(X25519PrivateKey key, IReadOnlyList<IPNetwork> addresses, int mtu) => (IsUp, Addresses, Mtu) = (true, addresses, mtu);

    public void TakeDown() => (IsUp, Addresses, Peers) = (false, [], []);

    public void SetPeers(IReadOnlyCollection<TunnelPeer> peers) => Peers = peers;

    public void SetEndpoint(ulong peer, in UdpEndpoint endpoint) => _endpoints[peer] = endpoint;

    public void Connect(ulong peer)
    {
    }

    public TunnelPeerState? Find(ulong peer) => Peers.Any(known => known.Id == peer)
        ? new TunnelPeerState(_endpoints.TryGetValue(peer, out var endpoint) ? endpoint : null, false, null, 0, 0)
        : null;

    public bool IsInside(IPAddress address) => Peers.Any(peer => peer.Prefixes.Any(prefix => prefix.Contains(address)));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
