using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Network;

/// <summary>
/// What a log says of a person or of a machine, found by reading it: the events whose payloads name them, and what the fold
/// must remember once these are gone.
/// </summary>
internal sealed class PersonalData
{
    private readonly Dictionary<ulong, ByteString> _nodes = [];
    private readonly HashSet<ulong> _keys = [];
    private readonly HashSet<ulong> _users = [];
    private readonly List<long> _positions = [];
    private readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase);

    public static async Task<PersonalData> OfUserAsync(NetworkRuntime network, string user, CancellationToken cancellationToken)
    {
        var data = new PersonalData();
        // By any name that he had. Whoever has the name today is somebody else.
        await foreach (var e in network.ReadLogAsync(cancellationToken).ConfigureAwait(false))
        {
            var id = e.Payload switch
            {
                UserCreated p when p.Name == user => p.Id,
                UserRenamed p when p.Name == user => p.Id,
                _ => 0UL,
            };
            if (id != 0 && !network.State.Users.ContainsKey(id))
                data._users.Add(id);
        }

        bool IsHis(ulong userId, string name) => userId == 0 ? name == user : data._users.Contains(userId);

        // A machine may have changed hands; whatever was said of it goes.
        await foreach (var e in network.ReadLogAsync(cancellationToken).ConfigureAwait(false))
        {
            switch (e.Payload)
            {
                case UserCreated p when data._users.Contains(p.Id):
                    data._names.UnionWith([p.Name, p.Email]);
                    data._positions.Add(e.Header.Position);
                    break;
                case UserRenamed r when data._users.Contains(r.Id):
                    data._names.Add(r.Name);
                    data._positions.Add(e.Header.Position);
                    break;
                case NodeRegistered p when IsHis(p.OwnerId, p.User):
                    data._nodes[p.Id] = p.Ipv4;
                    break;
                case NodeApproved p when p.OwnerId != 0 && IsHis(p.OwnerId, p.User):
                    data._nodes.TryAdd(p.Id, ByteString.Empty);
                    break;
                case NodeReauthorized p when IsHis(p.OwnerId, p.User):
                    data._nodes.TryAdd(p.Id, ByteString.Empty);
                    break;
                case PreAuthKeyCreated p when IsHis(p.UserId, p.User):
                    data._keys.Add(p.Id);
                    data._positions.Add(e.Header.Position);
                    break;
            }
        }

        data._names.Remove("");
        await data.CollectAsync(network, cancellationToken).ConfigureAwait(false);
        await data.CollectPoliciesAsync(network, cancellationToken).ConfigureAwait(false);
        return data;
    }

    public static async Task<PersonalData> OfNodeAsync(NetworkRuntime network, ulong nodeId, CancellationToken cancellationToken)
    {
        var data = new PersonalData();
        data._nodes.Add(nodeId, ByteString.Empty);
        await data.CollectAsync(network, cancellationToken).ConfigureAwait(false);
        return data;
    }

    public bool IsEmpty => _positions.Count == 0;

    public EraseData ToCommand() => new(
        [.. _positions.Order()], _nodes.Where(node => !node.Value.IsEmpty).ToDictionary(), _keys, _users);

    /// <summary>Whether the network's policy names the person as a user, by a name that no other user has today.</summary>
    public bool AreNamedByPolicy(NetworkState state)
    {
        return _names.Where(name => !state.Users.Values.Any(user => Is(user.Name, name) || Is(user.Email, name)))
            .Select(name => name.Contains('@', StringComparison.Ordinal) ? name : name + "@")
            .Any(name => Stands(state.Policy.Text, name) || Stands(state.Policy.Unread?.Text ?? "", name));

        static bool Is(string one, string other) => one.Equals(other, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Policies of the past, where they hold a name in any sense: nobody needs them.</summary>
    private async Task CollectPoliciesAsync(NetworkRuntime network, CancellationToken cancellationToken)
    {
        var state = network.State;
        if (state.Policy.Unread is not null) return; // An old policy is in force, and must stay.
        await foreach (var e in network.ReadLogAsync(cancellationToken).ConfigureAwait(false))
            if (e.Payload is PolicySet p && e.Header.Position < state.PolicyPosition && _names.Any(name => Stands(p.Text, name))) _positions.Add(e.Header.Position);
    }

    /// <summary>Whether a word is in a text, and not as a part of a longer one.</summary>
    private static bool Stands(string text, string word)
    {
        for (int at = 0; (at = text.IndexOf(word, at, StringComparison.OrdinalIgnoreCase)) >= 0; at++)
        {
            bool begins = at == 0 || !IsOfNames(text[at - 1]);
            int end = at + word.Length;
            if (begins && (word[^1] == '@' || end == text.Length || !IsOfNames(text[end]))) return true;
        }

        return false;

        static bool IsOfNames(char c) => char.IsLetterOrDigit(c) || c is '.' or '_' or '+' or '-';
    }

    private async Task CollectAsync(NetworkRuntime network, CancellationToken cancellationToken)
    {
        await foreach (var e in network.ReadLogAsync(cancellationToken).ConfigureAwait(false))
        {
            var id = e.Payload switch
            {
                NodeRegistered p => p.Id,
                NodeReauthorized p => p.Id,
                NodeApproved p => p.Id,
                NodeKeyChanged p => p.Id,
                NodeHostReported p => p.Id,
                NodeRenamed p => p.Id,
                _ => 0UL, // Others say nothing but ids and times.
            };
            if (!_nodes.ContainsKey(id))
                continue;
            _positions.Add(e.Header.Position);
            if (e.Payload is NodeRegistered registered)
                _nodes[id] = registered.Ipv4;
        }
    }
}

/// <summary>
/// Says in the log that events are erased. Refused while a node or a valid key is among what they tell of: the state would
/// lose them at the next start.
/// </summary>
internal sealed record EraseData(
    IReadOnlyList<long> Positions, IReadOnlyDictionary<ulong, ByteString> Nodes, IReadOnlyCollection<ulong> Keys,
    IReadOnlyCollection<ulong> Users) : ICommand<IReadOnlyList<long>>
{
    public Decision<IReadOnlyList<long>> Decide(NetworkState state, DecisionContext context)
    {
        if (Nodes.Keys.Select(state.FindNode).OfType<Node>().FirstOrDefault() is { } node)
        {
            throw new CommandRefusedException(
                RefusalReason.StillInUse, $"Node {node.Name} is still in the network. Delete it first ('mesh-coordinator nodes delete').");
        }

        if (Keys.Select(state.PreAuthKeys.GetValueOrDefault).FirstOrDefault(key => key?.StatusAt(context.Now) == PreAuthKeyStatus.Valid) is { } key)
        {
            throw new CommandRefusedException(
                RefusalReason.StillInUse, $"Pre-auth key {key.Id} is still good. Revoke it first ('mesh-coordinator keys revoke').");
        }

        if (Users.FirstOrDefault(state.Users.ContainsKey) is not 0 and var id)
        {
            throw new CommandRefusedException(
                RefusalReason.StillInUse, $"User {state.Users[id].Name} is in the network. Delete the user first ('mesh-coordinator users delete').");
        }

        if (Positions.Count == 0)
            return new([], _ => []);
        var e = new DataErased();
        e.Positions.AddRange(Positions);
        e.Nodes.AddRange(Nodes.OrderBy(erased => erased.Key).Select(erased => new DataErased.Types.ErasedNode { Id = erased.Key, Ipv4 = erased.Value }));
        e.PreAuthKeyIds.AddRange(Keys.Order());
        e.UserIds.AddRange(Users.Order());
        return new([e], _ => Positions);
    }

    public IReadOnlyList<long> Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        events is [{ Payload: DataErased e }] ? [.. e.Positions] : throw NetworkValues.OtherCommand();
}
