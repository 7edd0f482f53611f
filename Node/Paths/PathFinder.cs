using System.Collections.Concurrent;
using Mesh.Node.Daemon;
using Mesh.Node.Udp;

namespace Mesh.Node.Paths;

/// <summary>
/// Leads the tunnel to its peers: tries their candidates in order and lets the engine roam from there. What finds paths
/// through NATs and over relays will stand here, behind the same calls. Thread-safe.
/// </summary>
internal sealed class PathFinder : IDisposable
{
    private readonly ConcurrentDictionary<ulong, PeerPath> _paths = new();
    private readonly ITunnel _tunnel;

    public PathFinder(ITunnel tunnel)
    {
        _tunnel = tunnel;
        _tunnel.PeerChanged += OnPeerChanged;
    }

    /// <summary>Makes these the peers whose paths are looked after. Their peers are in the tunnel already.</summary>
    /// <param name="candidates">By peer, best first.</param>
    public void SetPeers(IReadOnlyDictionary<ulong, IReadOnlyList<UdpEndpoint>> candidates)
    {
        foreach (ulong gone in _paths.Keys)
            if (!candidates.ContainsKey(gone)) _paths.TryRemove(gone, out _);
        foreach (var (id, endpoints) in candidates)
        {
            var usable = Usable(endpoints);
            Act(id, path => path.SetCandidates(usable, _tunnel.Find(id)?.Endpoint), _paths.GetOrAdd(id, static _ => new PeerPath()));
        }
    }

    /// <summary>A peer opens a path from its side and asks for the same from ours.</summary>
    public void ReachAsked(ulong peer, IReadOnlyList<UdpEndpoint> endpoints)
    {
        if (!_paths.TryGetValue(peer, out var path)) return;
        var usable = Usable(endpoints);
        Act(peer, p => p.ReachAsked(usable), path);
        _tunnel.Connect(peer);
    }

    /// <summary>Endpoints tried in vain and candidates known, for the reason that a user is told.</summary>
    public (int Unanswered, int Candidates) Describe(ulong peer)
    {
        if (!_paths.TryGetValue(peer, out var path)) return (0, 0);
        lock (path) return (path.Unanswered, path.Candidates.Count);
    }

    public void Dispose() => _tunnel.PeerChanged -= OnPeerChanged;

    private void OnPeerChanged(ulong peer, TunnelPeerEvent what)
    {
        if (!_paths.TryGetValue(peer, out var path)) return;
        switch (what)
        {
            case TunnelPeerEvent.SessionMade:
                lock (path) path.SessionMade();
                break;
            case TunnelPeerEvent.HandshakeUnanswered:
                Act(peer, p => p.HandshakeUnanswered(_tunnel.Find(peer)?.Endpoint), path);
                break;
        }
    }

    // The lock is held over the call into the tunnel, so that the newest decision is also the one that stands.
    private void Act(ulong peer, Func<PeerPath, UdpEndpoint?> decide, PeerPath path)
    {
        lock (path)
        {
            if (decide(path) is { } endpoint) _tunnel.SetEndpoint(peer, endpoint);
        }
    }

    // An endpoint inside the mesh would send the tunnel through itself.
    private UdpEndpoint[] Usable(IReadOnlyList<UdpEndpoint> endpoints) =>
        [.. endpoints.Where(endpoint => !_tunnel.IsInside(endpoint.ToAddress())).Distinct()];
}
