using System.Collections.Immutable;
using System.Net;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;
using Mesh.Crypto;

namespace Mesh.Coordinator.Network;

/// <summary>
/// The fold that makes a state of a log. Pure: no clock, no chance, no decision. An event about something that is not there
/// (because the event that made it was erased) changes nothing but the position.
/// </summary>
public static class NetworkFold
{
    /// <param name="state">Null before the first event.</param>
    public static NetworkState Apply(NetworkState? state, NetworkEvent e)
    {
        if (state is null)
        {
            return e is { Header.Position: 1, Payload: NetworkCreated created }
                ? Create(created, e.Point)
                : throw new LogStoreException(
                    LogStoreFault.Damaged, "The log does not begin with the creation of its network. Restore it from a backup.");
        }

        var next = e.Payload switch
        {
            null or NetworkCreated => state,
            NetworkDeletionScheduled p => state with { PurgeAt = DateTimeOffset.FromUnixTimeMilliseconds(p.PurgeAtMs) },
            NetworkDeletionCancelled => state with { PurgeAt = null },
            DataErased p => Erase(state, p),
            NetworkSettingsChanged p => state with { Settings = NetworkSettings.Read(p.ApprovalRequired, p.NodeLifetimeMs, p.KeyRotationMs) },
            PreAuthKeyCreated p => CreateKey(state, p, e.Header.Time),
            PreAuthKeyRevoked p => UpdateKey(state, p.Id, key => key with { RevokedAt = key.RevokedAt ?? e.Header.Time }),
            UserCreated p => CreateUser(state, p, e.Header.Time),
            UserRenamed p => RenameUser(state, p),
            UserDeleted p => DeleteUser(state, p.Id),
            NodeRegistered p => Register(state, p, e.Header),
            NodeReauthorized p => Reauthorize(state, p, e.Header),
            NodeApproved p => UpdateNode(state, p.Id, node => node with
            {
                Approved = true, OwnerId = p.OwnerId, User = p.User, Tags = [.. p.Tags], ExpiresAt = ReadTime(p.ExpiresAtMs), SightedAt = e.Header.Position,
            }),
            NodeKeyChanged p => ChangeKey(state, p, e.Header.Time),
            NodeKeyRetired p => UpdateNode(state, p.Id, node => node with { PreviousNodeKey = null }),
            NodeLoggedOut p => UpdateNode(state, p.Id, node => node with { LoggedOut = true, PreviousNodeKey = null }),
            NodeDeleted p => Delete(state, p.Id),
            NodeHostReported p => UpdateNode(state, p.Id, node => node with { Host = Read(p.Host) }),
            NodeRenamed p => Rename(state, p),
            NodeExpirySet p => UpdateNode(state, p.Id, node => SetExpiry(node, ReadTime(p.ExpiresAtMs), e.Header.Time)),
            NodeExpired p => UpdateNode(state, p.Id, node => node with { Expired = true, PreviousNodeKey = null }),
            NodeSighted p => UpdateNode(state, p.Id, node => node with { SightedAt = e.Header.Position }),
            NodeTagged p => UpdateNode(state, p.Id, node => node with { Tags = [.. p.Tags], OwnerId = 0, User = "", ExpiresAt = null, Expired = false }),
            PolicySet p => SetPolicy(state, p, e.Header.Position),
            _ => throw new ArgumentException($"No fold for {e.Payload.Descriptor.FullName}.", nameof(e)),
        };
        return next with { Point = e.Point };
    }

    private static NetworkState Create(NetworkCreated e, LogPoint point)
    {
        var plan = new AddressPlan(
            IPNetwork.Parse(e.Ipv4Pool), [.. e.Ipv4Excluded.Select(text => IPNetwork.Parse(text))], IPNetwork.Parse(e.Ipv6Prefix));
        return new NetworkState
        {
            Id = new NetworkId(e.NetworkId.Span),
            Name = e.Name,
            Point = point,
            Nodes = ImmutableDictionary<ulong, Node>.Empty,
            NodesByMachineKey = ImmutableDictionary<Bytes32, ulong>.Empty,
            NodesByNodeKey = ImmutableDictionary<X25519PublicKey, ulong>.Empty,
            Names = NameTable.Empty,
            AddressPlan = plan,
            Addresses = AddressPool.Create(plan),
            PreAuthKeys = ImmutableDictionary<ulong, PreAuthKey>.Empty,
            PreAuthKeysByHash = ImmutableDictionary<Bytes32, ulong>.Empty,
            Users = ImmutableDictionary<ulong, User>.Empty,
            UsersByName = ImmutableDictionary.Create<string, ulong>(StringComparer.Ordinal),
            UsersByEmail = ImmutableDictionary.Create<string, ulong>(StringComparer.Ordinal),
            Policy = NetworkPolicy.Of(NetworkPolicy.DenyAllText),
            NextNodeId = e.FirstNodeId,
            NextPreAuthKeyId = 1,
            NextUserId = 1,
        };
    }

    /// <summary>
    /// Leads to one state whether or not the erased events were folded before: ids stay used, addresses were given out, and the
    /// keys are gone.
    /// </summary>
    private static NetworkState Erase(NetworkState state, DataErased e)
    {
        var addresses = state.Addresses;
        foreach (var ipv4 in e.Nodes.Select(node => new IPAddress(node.Ipv4.Span)).Where(address => !addresses.IsTaken(address)))
            addresses = addresses.Take(ipv4).Return(ipv4);
        var hashes = e.PreAuthKeyIds.Select(id => state.PreAuthKeys.GetValueOrDefault(id)).OfType<PreAuthKey>().Select(key => key.Hash);
        return state with
        {
            Addresses = addresses,
            PreAuthKeys = state.PreAuthKeys.RemoveRange(e.PreAuthKeyIds),
            PreAuthKeysByHash = state.PreAuthKeysByHash.RemoveRange(hashes),
            NextNodeId = e.Nodes.Select(node => node.Id + 1).Append(state.NextNodeId).Max(),
            NextPreAuthKeyId = e.PreAuthKeyIds.Select(id => id + 1).Append(state.NextPreAuthKeyId).Max(),
            NextUserId = e.UserIds.Select(id => id + 1).Append(state.NextUserId).Max(),
        };
    }

    private static NetworkState CreateKey(NetworkState state, PreAuthKeyCreated e, DateTimeOffset time)
    {
        var key = new PreAuthKey
        {
            Id = e.Id,
            Hash = new Bytes32(e.Hash.Span),
            Reusable = e.Reusable,
            Ephemeral = e.Ephemeral,
            PreApproved = e.PreApproved,
            UserId = e.UserId,
            User = e.User,
            Tags = [.. e.Tags],
            CreatedAt = time,
            ExpiresAt = ReadTime(e.ExpiresAtMs),
        };
        return state with
        {
            PreAuthKeys = state.PreAuthKeys.SetItem(key.Id, key),
            PreAuthKeysByHash = state.PreAuthKeysByHash.SetItem(key.Hash, key.Id),
            NextPreAuthKeyId = Math.Max(state.NextPreAuthKeyId, key.Id + 1),
        };
    }

    private static NetworkState CreateUser(NetworkState state, UserCreated e, DateTimeOffset time)
    {
        var user = new User { Id = e.Id, Name = e.Name, DisplayName = e.DisplayName, Email = e.Email, CreatedAt = time };
        return state with
        {
            Users = state.Users.SetItem(user.Id, user),
            UsersByName = state.UsersByName.SetItem(user.Name, user.Id),
            UsersByEmail = user.Email.Length == 0 ? state.UsersByEmail : state.UsersByEmail.SetItem(user.Email.ToLowerInvariant(), user.Id),
            NextUserId = Math.Max(state.NextUserId, user.Id + 1),
        };
    }

    private static NetworkState RenameUser(NetworkState state, UserRenamed e)
    {
        if (!state.Users.TryGetValue(e.Id, out var user))
            return state;
        state = state with
        {
            Users = state.Users.SetItem(e.Id, user with { Name = e.Name }),
            UsersByName = state.UsersByName.Remove(user.Name).SetItem(e.Name, e.Id),
            PreAuthKeys = state.PreAuthKeys.SetItems(state.PreAuthKeys.Values.Where(key => key.UserId == e.Id)
                .Select(key => KeyValuePair.Create(key.Id, key with { User = e.Name }))),
        };
        foreach (var node in state.NodesOf(e.Id))
            state = UpdateNode(state, node.Id, owned => owned with { User = e.Name });
        return state;
    }

    private static NetworkState DeleteUser(NetworkState state, ulong id) => state.Users.TryGetValue(id, out var user)
        ? state with
        {
            Users = state.Users.Remove(id), UsersByName = state.UsersByName.Remove(user.Name), UsersByEmail = state.UsersByEmail.Remove(user.Email.ToLowerInvariant()),
        }
        : state;

    private static NetworkState Register(NetworkState state, NodeRegistered e, EventHeader header)
    {
        var node = new Node
        {
            Id = e.Id,
            MachineKey = new MachineKey(e.MachineSpki.Span),
            NodeKey = new X25519PublicKey(e.NodeKey.Span),
            Name = e.Name,
            OwnerId = e.OwnerId,
            User = e.User,
            Tags = [.. e.Tags],
            IPv4 = new IPAddress(e.Ipv4.Span),
            IPv6 = new IPAddress(e.Ipv6.Span),
            CreatedAt = header.Time,
            KeyChangedAt = header.Time,
            SightedAt = header.Position,
            ExpiresAt = ReadTime(e.ExpiresAtMs),
            Approved = e.Approved,
            Ephemeral = e.Ephemeral,
            PreAuthKeyId = e.PreAuthKeyId,
            Host = Read(e.Host),
        };
        state = CountUse(state, e.PreAuthKeyId);
        var subject = state.SubjectOf(node);
        node = node with { ClassId = state.Policy.Program.ClassOf(subject).Id };
        return state with
        {
            Policy = state.Policy with { Fleet = state.Policy.Fleet.With(subject) },
            Nodes = state.Nodes.Add(node.Id, node),
            NodesByMachineKey = state.NodesByMachineKey.Add(node.MachineKey.Id, node.Id),
            NodesByNodeKey = state.NodesByNodeKey.Add(node.NodeKey, node.Id),
            Names = state.Names.Add(node.Name, node.Id),
            Addresses = state.Addresses.Take(node.IPv4),
            NextNodeId = Math.Max(state.NextNodeId, node.Id + 1),
        };
    }

    private static NetworkState Reauthorize(NetworkState state, NodeReauthorized e, EventHeader header) =>
        UpdateNode(CountUse(state, e.PreAuthKeyId), e.Id, node => node with
        {
            NodeKey = new X25519PublicKey(e.NodeKey.Span),
            PreviousNodeKey = null,
            KeyChangedAt = header.Time,
            OwnerId = e.OwnerId,
            User = e.User,
            Tags = [.. e.Tags],
            Ephemeral = e.Ephemeral,
            Approved = e.Approved,
            ExpiresAt = ReadTime(e.ExpiresAtMs),
            PreAuthKeyId = e.PreAuthKeyId,
            LoggedOut = false,
            Expired = false,
            SightedAt = header.Position,
        });

    private static NetworkState ChangeKey(NetworkState state, NodeKeyChanged e, DateTimeOffset time) => UpdateNode(state, e.Id, node => node with
    {
        NodeKey = new X25519PublicKey(e.NodeKey.Span),
        PreviousNodeKey = e.KeepPrevious ? node.NodeKey : null,
        KeyChangedAt = time,
    });

    private static NetworkState Rename(NetworkState state, NodeRenamed e)
    {
        if (state.FindNode(e.Id) is not { } node)
            return state;
        return state with
        {
            Nodes = state.Nodes.SetItem(e.Id, node with { Name = e.Name }),
            Names = state.Names.Remove(node.Name).Add(e.Name, e.Id),
        };
    }

    private static Node SetExpiry(Node node, DateTimeOffset? end, DateTimeOffset now)
    {
        var expired = end <= now;
        return node with { ExpiresAt = end, Expired = expired, PreviousNodeKey = expired ? null : node.PreviousNodeKey };
    }

    private static NetworkState Delete(NetworkState state, ulong id)
    {
        if (state.FindNode(id) is not { } node)
            return state;
        var byNodeKey = state.NodesByNodeKey.Remove(node.NodeKey);
        return state with
        {
            Policy = state.Policy with { Fleet = state.Policy.Fleet.Without(state.SubjectOf(node)) },
            Nodes = state.Nodes.Remove(id),
            NodesByMachineKey = state.NodesByMachineKey.Remove(node.MachineKey.Id),
            NodesByNodeKey = node.PreviousNodeKey is { } previous ? byNodeKey.Remove(previous) : byNodeKey,
            Names = state.Names.Remove(node.Name),
            Addresses = state.Addresses.Return(node.IPv4),
        };
    }

    private static NetworkState SetPolicy(NetworkState state, PolicySet e, long position)
    {
        PolicyProgram program;
        try
        {
            program = new PolicyProgram(PolicyDocument.Parse(e.Text));
        }
        catch (PolicyRefusedException refused)
        {
            return state with { Policy = state.Policy with { Unread = new UnreadPolicy(e.Text, refused.Problems[0]) }, PolicyPosition = position };
        }

        List<PolicySubject> subjects = [.. state.Nodes.Values.Select(state.SubjectOf)];
        var moved = subjects
            .Select(subject => (Node: state.Nodes[subject.Id], ClassId: program.ClassOf(subject).Id))
            .Where(pair => pair.Node.ClassId != pair.ClassId)
            .Select(pair => KeyValuePair.Create(pair.Node.Id, pair.Node with { ClassId = pair.ClassId }));
        return state with
        {
            Policy = new NetworkPolicy(FleetPolicy.Of(program, subjects)), PolicyPosition = position, Nodes = state.Nodes.SetItems(moved),
        };
    }

    private static NetworkState CountUse(NetworkState state, ulong keyId) =>
        keyId == 0 ? state with { } : UpdateKey(state, keyId, key => key with { Uses = key.Uses + 1 });

    private static NetworkState UpdateKey(NetworkState state, ulong id, Func<PreAuthKey, PreAuthKey> change) =>
        state.PreAuthKeys.TryGetValue(id, out var key)
            ? state with { PreAuthKeys = state.PreAuthKeys.SetItem(id, change(key)) }
            : state;

    /// <summary>Changes a node's own fields and keys; its id, machine key, name and addresses stay.</summary>
    private static NetworkState UpdateNode(NetworkState state, ulong id, Func<Node, Node> change)
    {
        if (state.FindNode(id) is not { } before)
            return state;
        var after = change(before);
        var (wasSubject, subject) = (state.SubjectOf(before), state.SubjectOf(after));
        var classId = state.Policy.Program.ClassOf(subject).Id;
        if (classId != before.ClassId)
        {
            after = after with { ClassId = classId };
            state = state with { Policy = state.Policy with { Fleet = state.Policy.Fleet.Without(wasSubject).With(subject) } };
        }

        var byNodeKey = state.NodesByNodeKey;
        if (before.NodeKey != after.NodeKey || before.PreviousNodeKey != after.PreviousNodeKey)
        {
            byNodeKey = byNodeKey.Remove(before.NodeKey);
            if (before.PreviousNodeKey is { } oldPrevious)
                byNodeKey = byNodeKey.Remove(oldPrevious);
            byNodeKey = byNodeKey.SetItem(after.NodeKey, id);
            if (after.PreviousNodeKey is { } previous)
                byNodeKey = byNodeKey.SetItem(previous, id);
        }

        return state with { Nodes = state.Nodes.SetItem(id, after), NodesByNodeKey = byNodeKey };
    }

    private static HostFacts Read(Events.HostFacts? host) => host is null
        ? HostFacts.Unknown
        : new HostFacts(host.Hostname, host.Os, host.OsVersion, host.Architecture, host.MeshVersion) { Capabilities = host.Capabilities };

    private static DateTimeOffset? ReadTime(long unixMilliseconds) =>
        unixMilliseconds == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds);
}
