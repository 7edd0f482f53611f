using System.Buffers.Text;
using System.Reflection;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Presence;

namespace Mesh.Coordinator.Admin;

/// <summary>What the admin API answers to questions. Changes nothing.</summary>
internal static class AdminQueries
{
    /// <summary>Events in one answer.</summary>
    public const int MaxEvents = 1000;

    public static string Version { get; } =
        typeof(AdminQueries).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "?";

    public static StatusModel Status(AdminContext admin) => new(
        Version, admin.Links.Address, Pin(admin), admin.State.Path, admin.Keys.HoldsRootKey, admin.Keys.IssuerExpires,
        [.. admin.Networks.All.Select(Describe)]);

    public static RootModel Root(AdminContext admin) => new(
        Pin(admin), admin.Links.Address, admin.Keys.HoldsRootKey, admin.Keys.IssuerExpires,
        Convert.ToBase64String(admin.Keys.RootSpki.Span));

    public static ListModel<NetworkModel> Networks(AdminContext admin) => new([.. admin.Networks.All.Select(Describe)]);

    public static ListModel<KeyModel> Keys(AdminContext admin, NetworkHost network)
    {
        var now = admin.Clock.GetUtcNow();
        return new([.. network.Runtime.State.PreAuthKeys.Values.OrderBy(key => key.Id).Select(key => Describe(key, now))]);
    }

    public static ListModel<NodeModel> Nodes(AdminContext admin, NetworkHost network)
    {
        var now = admin.Clock.GetUtcNow();
        var presence = network.Runtime.Presence.Current;
        return new([.. network.Runtime.State.Nodes.Values.OrderBy(node => node.Name, StringComparer.Ordinal)
            .Select(node => Describe(node, presence.Find(node.Id), network.Runtime.Presence.LastSeen(node.Id), now))]);
    }

    public static PolicyModel Policy(NetworkHost network) => new(Describe(network.Runtime.State.Policy.Preset));

    public static async Task<ListModel<EventModel>> LogAsync(NetworkHost network, long after, int limit, CancellationToken cancellationToken)
    {
        List<EventModel> events = [];
        await foreach (var e in network.Runtime.ReadLogAsync(cancellationToken))
        {
            if (e.Header.Position <= after) continue;
            events.Add(new EventModel(
                e.Header.Position, e.Header.Time, e.Header.Actor.ToString(), e.Header.Kind.ToString(), EventText.Of(e), e.Hash.ToString()));
            if (events.Count == limit) break;
        }
        return new(events);
    }

    /// <summary>Reads the file, not what is in memory.</summary>
    public static async Task<VerificationModel> VerifyAsync(AdminContext admin, NetworkHost network, CancellationToken cancellationToken)
    {
        string path = admin.Networks.Directory.LogPath(network.Runtime.Name);
        var found = await Task.Run(() => LogVerifier.Verify(path, admin.Keys.RootSpki.Span, cancellationToken), cancellationToken);
        return new VerificationModel(
            network.Runtime.Name, found.IsValid, found.End.Position, found.End.Hash.ToString(), found.Events, found.Heads, found.Erased,
            [.. found.Problems.Select(p => new VerificationProblemModel(p.Position, p.Kind.ToString()))]);
    }

    public static KeyModel Describe(PreAuthKey key, DateTimeOffset now) => new(
        key.Id, key.StatusAt(now).ToString().ToLowerInvariant(), NullIfEmpty(key.User), key.Tags, key.Reusable, key.Ephemeral, key.Uses,
        key.CreatedAt, key.ExpiresAt);

    private static string Describe(PolicyPreset preset) => preset == PolicyPreset.AllowAll ? "allow-all" : "deny-all";

    private static NetworkModel Describe(NetworkHost network)
    {
        var state = network.Runtime.State;
        var presence = network.Runtime.Presence.Current;
        return new NetworkModel(
            state.Name, state.Id.ToString(), state.Position, Describe(state.Policy.Preset), state.Nodes.Count,
            presence.Nodes.Values.Count(p => p.Online), state.AddressPlan.IPv4.ToString(), state.AddressPlan.IPv6.ToString());
    }

    private static NodeModel Describe(Node node, NodePresence? presence, DateTimeOffset? lastSeen, DateTimeOffset now) => new(
        node.Id, node.Name, [.. node.Addresses.Select(a => a.ToString())], node.NodeKey.ToString(),
        node.LoggedOut ? "logged-out" : !node.Approved ? "pending" : node.IsMember(now) ? "member" : "expired",
        presence?.Online ?? false, lastSeen, NullIfEmpty(node.User), node.Tags, node.Ephemeral, node.CreatedAt, node.ExpiresAt,
        node.Host.Hostname, node.Host.Os, node.Host.MeshVersion,
        presence is null ? [] : [.. presence.Endpoints.Select(e => new System.Net.IPEndPoint(e.Address, e.Port).ToString())]);

    private static string Pin(AdminContext admin) => Base64Url.EncodeToString(admin.Keys.Pin.Span);

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
