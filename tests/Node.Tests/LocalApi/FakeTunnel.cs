using System.Collections.Concurrent;
using System.Net;
using Mesh.Crypto;
using Mesh.Node.Cli;
using Mesh.Node.Daemon;
using Mesh.Node.Filter;
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

    /// <summary>The keys of each step, as "current+other".</summary>
    public ConcurrentQueue<string> Keys { get; } = new();

    public void BringUp(X25519PrivateKey key, X25519PrivateKey? other, IReadOnlyList<IPNetwork> addresses, int mtu)
    {
        Calls.Add(nameof(BringUp));
        if (BringUpFails) throw new UserException(ExitCode.Failed, "no interface");
        (IsUp, Addresses, Mtu) = (true, addresses, mtu);
        string keys = $"{key.PublicKey}+{other?.PublicKey}";
        if (Keys.LastOrDefault() != keys) Keys.Enqueue(keys);
    }

    public bool BringUpFails { get; set; }

    public FilterView View { get; private set; } = FilterView.Empty;

    /// <summary>What was asked, in order.</summary>
    public List<string> Calls { get; } = [];

    public void TakeDown() => (IsUp, Addresses, Peers, View) = (false, [], [], FilterView.Empty);

    public void Enforce(IReadOnlyCollection<TunnelPeer> peers, FilterView view)
    {
        Calls.Add(nameof(Enforce));
        View = view;
    }

    public void SetPeers(IReadOnlyCollection<TunnelPeer> peers, FilterView view)
    {
        Calls.Add(nameof(SetPeers));
        (Peers, View) = (peers, view);
    }

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
