using Mesh.Crypto;
using Mesh.Node.Control;
using Mesh.Node.Filter;
using Mesh.Node.LocalApi;
using Mesh.Node.Paths;
using Mesh.Node.State;
using Mesh.Protocol.Control;

namespace Mesh.Node.Daemon;

/// <summary>What the runtime knows at one moment.</summary>
/// <param name="IsRunning">A session runs: the tunnel is meant to be up.</param>
internal sealed record StatusView(
    JoinInfo? Join, NetworkMap? Map, ControlStatus Control, bool IsRunning, X25519PublicKey NodeKey,
    IReadOnlyDictionary<ulong, double> Latencies, FilterView Filter, DateTimeOffset Now);

/// <summary>Puts what the runtime knows into words and shapes for a user.</summary>
internal static class StatusBuilder
{
    private static readonly TimeSpan ExpiryWarning = TimeSpan.FromDays(14);

    public static NodeStatus Build(StatusView view, ITunnel tunnel, PathFinder paths)
    {
        var self = view.Map?.Self;
        var expires = self is null ? null : MapToTunnel.Time(self.ExpiresAtMs);
        bool connected = view.IsRunning && view.Control.Phase == ControlPhase.Connected;
        return new NodeStatus(
            new SelfStatus(self?.Name, view.Join?.Network, Addresses(self?.Addresses), view.NodeKey.ToString(), State(view),
                tunnel.InterfaceName, tunnel.ListenPort, view.IsRunning ? view.Control.ApprovalCode : null, expires, Warnings(view, expires)),
            new CoordinatorStatus(connected, view.Map?.Head.Position ?? 0, view.Join is { } join ? join.Link.Authority : null,
                view.IsRunning ? view.Control.LastError : null),
            view.IsRunning && view.Map is { } map
                ? [.. map.Peers.Values.OrderBy(peer => peer.Name, StringComparer.Ordinal)
                    .Select(peer => BuildPeer(peer, tunnel, paths, view.Latencies, view.Filter, view.Now))]
                : []);
    }

    public static PeerStatus BuildPeer(
        Peer peer, ITunnel tunnel, PathFinder paths, IReadOnlyDictionary<ulong, double> latencies, FilterView filter, DateTimeOffset now)
    {
        var state = tunnel.Find(peer.NodeId);
        bool direct = state is { HasSession: true };
        return new PeerStatus(
            peer.Name, Addresses(peer.Prefixes), peer.Presence?.Online ?? false, direct ? "direct" : "none",
            direct ? state?.Endpoint?.ToString() : null, Relay: null,
            direct ? null : Reason(peer, state, paths, now), latencies.TryGetValue(peer.NodeId, out double ms) ? ms : null,
            state?.RxBytes ?? 0, state?.TxBytes ?? 0, state?.LastHandshake, filter.Find(peer.NodeId)?.Drops.Total ?? 0);
    }

    private static string State(StatusView view) => view switch
    {
        { Join: null } => "none",
        { Control.Phase: ControlPhase.Removed } => "removed",
        { IsRunning: false } => "down",
        { Control.Phase: ControlPhase.Expired } => "expired",
        { Map: { } map } when MapToTunnel.IsSelfExpired(map, view.Now) => "expired",
        { Control.Phase: ControlPhase.Pending } or { Join.NodeId: 0, Map: null } => "pending",
        _ => "up",
    };

    private static string Reason(Peer peer, TunnelPeerState? state, PathFinder paths, DateTimeOffset now)
    {
        if (!MapToTunnel.IsLive(peer, now.ToUnixTimeMilliseconds())) return "its authorisation has ended";
        if (state is null) return "not in the tunnel";
        var (unanswered, candidates) = paths.Describe(peer.NodeId);
        if (candidates == 0 && state.Value.Endpoint is null) return "it has told no address to reach it at";
        if (unanswered > 0) return $"no answer from {(candidates == 1 ? "its address" : $"any of its {candidates} addresses")} so far";
        return "idle: the path opens with the first packet";
    }

    private static List<string> Warnings(StatusView view, DateTimeOffset? expires)
    {
        var warnings = new List<string>();
        var flags = view.IsRunning ? view.Control.Warnings : ControlWarnings.None;
        if (flags.HasFlag(ControlWarnings.ClockApart)) warnings.Add("this machine's clock and the coordinator's are far apart: set the clock");
        if (flags.HasFlag(ControlWarnings.CopiedState))
            warnings.Add("another machine runs with a copy of this state directory: remove one copy and join that machine anew");
        if (flags.HasFlag(ControlWarnings.LogFork))
            warnings.Add("the network's log has forked or gone back behind what this node had seen: tell your administrator");
        if (expires is { } at && at > view.Now && at - view.Now < ExpiryWarning)
            warnings.Add($"this machine's authorisation ends on {at:yyyy-MM-dd HH:mm} UTC: ask your administrator for more time (nodes expire) or a new link");
        return warnings;
    }

    private static List<string> Addresses(IEnumerable<Prefix>? prefixes) =>
        prefixes is null ? [] : [.. PeerLookup.HostAddresses(prefixes).Select(address => address.ToString())];
}
