using System.Buffers.Text;
using System.Reflection;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;

namespace Mesh.Coordinator.Admin;

/// <summary>What the admin API answers to questions. Changes nothing.</summary>
internal static class AdminQueries
{
    public static string Version { get; } =
        typeof(AdminQueries).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "?";

    public static StatusModel Status(AdminContext admin) => new(
        Version, admin.Links.Address, admin.AdminAddress(), Pin(admin), admin.State.Path, admin.Keys.HoldsRootKey, admin.Keys.IssuerExpires,
        [.. admin.Networks.All.Select(Describe)]);

    public static RootModel Root(AdminContext admin) => new(
        Pin(admin), admin.Links.Address, admin.Keys.HoldsRootKey, admin.Keys.IssuerExpires,
        Convert.ToBase64String(admin.Keys.RootSpki.Span), admin.Keys.Next is { } next ? Base64Url.EncodeToString(next.Pin.Span) : null,
        [.. admin.Keys.AllRoots.Skip(1).Select(Convert.ToBase64String)]);

    public static ListModel<NetworkModel> Networks(AdminContext admin, Page page) => page.Take(admin.Networks.All, n => n.Runtime.Name, Describe);

    public static ListModel<TokenModel> Tokens(AdminContext admin, Page page)
    {
        var now = admin.Clock.GetUtcNow();
        return page.Take(admin.Tokens.All, token => token.Id, token => Describe(token, now));
    }

    public static ListModel<KeyModel> Keys(AdminContext admin, NetworkHost network, Page page)
    {
        var now = admin.Clock.GetUtcNow();
        return page.Take(network.Runtime.State.PreAuthKeys.Values, key => key.Id, key => Describe(key, now));
    }

    public static ListModel<NodeModel> Nodes(AdminContext admin, NetworkHost network, Page page)
    {
        var now = admin.Clock.GetUtcNow();
        var presence = network.Runtime.Presence.Current;
        return page.Take(network.Runtime.State.Nodes.Values, node => node.Id,
            node => Describe(node, presence.Find(node.Id), network.Runtime.Presence.LastSeen(node.Id), now));
    }

    public static NodeModel Node(AdminContext admin, NetworkHost network, ulong id)
    {
        var node = network.Runtime.State.FindNode(id) ?? throw NetworkValues.UnknownNode(id);
        return Describe(node, network.Runtime.Presence.Current.Find(id), network.Runtime.Presence.LastSeen(id), admin.Clock.GetUtcNow());
    }

    /// <summary>
    /// The node that someone means by an id or a name. Ids come first: a machine chooses its name, and must not be taken for
    /// another whose id it calls itself.
    /// </summary>
    public static ulong FindNode(NetworkHost network, string idOrName)
    {
        var state = network.Runtime.State;
        if (ulong.TryParse(idOrName, System.Globalization.NumberStyles.None, null, out ulong id) && state.FindNode(id) is not null) return id;
        return state.FindByName(idOrName)?.Id ?? throw new CommandRefusedException(
            RefusalReason.NodeUnknown, "This network has no node of that id or name; 'mesh-coordinator nodes list' shows them.") { Field = "node" };
    }

    public static async Task<ListModel<EventModel>> LogAsync(
        AdminContext admin, NetworkHost network, LogQuery query, CancellationToken cancellationToken)
    {
        List<EventModel> events = [];
        await foreach (var line in LogLine.ReadAsync(network.Runtime, admin.Tokens.NameOf, cancellationToken))
        {
            if (!query.Matches(line)) continue;
            if (events.Count == query.Limit) return new(events, events[^1].Position.ToString(System.Globalization.CultureInfo.InvariantCulture));
            events.Add(new EventModel(
                line.Position, line.Time, line.Who, line.Kind.ToString(), line.NodeId == 0 ? null : line.NodeId, line.Text, line.Erased,
                line.Event.Hash.ToString()));
        }
        return new(events);
    }

    /// <summary>Reads the file, not what is in memory.</summary>
    public static async Task<VerificationModel> VerifyAsync(AdminContext admin, NetworkHost network, CancellationToken cancellationToken)
    {
        string path = admin.Networks.Directory.LogPath(network.Runtime.Name);
        var found = await Task.Run(() => LogVerifier.Verify(path, admin.Keys.AllRoots, cancellationToken), cancellationToken);
        return Describe(found, network.Runtime.Name);
    }

    /// <param name="network">As the network is called; its id where nobody knows that.</param>
    public static VerificationModel Describe(LogVerification found, string network) =>
        new(network, found.IsValid, found.End.Position, found.End.Hash.ToString(), found.Events, found.Heads, found.Erased,
            [.. found.Problems.Select(p => new VerificationProblemModel(p.Position, p.Kind.ToString()))]);

    public static KeyModel Describe(PreAuthKey key, DateTimeOffset now) => new(
        key.Id, key.StatusAt(now).ToString().ToLowerInvariant(), NullIfEmpty(key.User), key.Tags, key.Reusable, key.Ephemeral, key.PreApproved, key.Uses,
        key.CreatedAt, key.ExpiresAt);

    public static TokenModel Describe(AdminToken token, DateTimeOffset now) => new(
        token.Id, token.Name, token.StatusAt(now).ToString().ToLowerInvariant(), token.CreatedAt, token.CreatedBy, token.ExpiresAt, token.RevokedAt,
        token.RevokedBy);

    public static NetworkModel Describe(NetworkHost network)
    {
        var state = network.Runtime.State;
        var presence = network.Runtime.Presence.Current;
        return new NetworkModel(
            state.Name, state.Id.ToString(), state.Position, PolicyCalls.KindOf(state.Policy), state.Nodes.Count,
            presence.Nodes.Values.Count(p => p.Online), state.AddressPlan.IPv4.ToString(), state.AddressPlan.IPv6.ToString(),
            state.PurgeAt, state.Settings.ApprovalRequired, (long)(state.Settings.NodeLifetime?.TotalSeconds ?? 0),
            (long)(state.Settings.KeyRotation?.TotalSeconds ?? 0), PolicyCalls.ProblemOf(state.Policy));
    }

    public static NodeModel Describe(Node node, NodePresence? presence, DateTimeOffset? lastSeen, DateTimeOffset now) => new(
        node.Id, node.Name, [.. node.Addresses.Select(a => a.ToString())], node.NodeKey.ToString(),
        StateOf(node, now),
        presence?.Online ?? false, lastSeen, NullIfEmpty(node.User), node.Tags, node.Ephemeral, node.CreatedAt, node.ExpiresAt,
        node.Host.Hostname, node.Host.Os, node.Host.OsVersion, node.Host.Architecture, node.Host.MeshVersion,
        node.MachineKey.ToString(), node.PreAuthKeyId, node.ClassId.ToString(),
        presence is null ? [] : [.. presence.Endpoints.Select(e => new System.Net.IPEndPoint(e.Address, e.Port).ToString())],
        node.IsMember(now) && node.ExpiresAt - now < NetworkLimits.ExpiryWarning, node.KeyChangedAt, node.PreviousNodeKey is not null);

    /// <summary>"member", "expired", "logged-out" or "pending".</summary>
    public static string StateOf(Node node, DateTimeOffset now) =>
        node.LoggedOut ? "logged-out" : !node.Approved ? "pending" : node.IsMember(now) ? "member" : "expired";

    private static string Pin(AdminContext admin) => Base64Url.EncodeToString(admin.Keys.Pin.Span);

    private static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;
}
