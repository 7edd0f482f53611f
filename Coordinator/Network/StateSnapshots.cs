using System.Collections.Immutable;
using System.Net;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Snapshots;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;
using Mesh.Crypto;

namespace Mesh.Coordinator.Network;

/// <summary>Turns states into bytes and back. What comes back is equal in every way that a fold or a decision could tell.</summary>
internal static class StateSnapshots
{
    /// <summary>Raise it with every change of what the fold keeps: snapshots of another format are passed over.</summary>
    private const uint Format = 3;

    public static byte[] Encode(NetworkState state)
    {
        var snapshot = new StateSnapshot
        {
            Format = Format,
            NetworkId = ByteString.CopyFrom(state.Id.ToArray()),
            Name = state.Name,
            Ipv4Pool = state.AddressPlan.IPv4.ToString(),
            Ipv6Prefix = state.AddressPlan.IPv6.ToString(),
            NextNodeId = state.NextNodeId,
            NextPreAuthKeyId = state.NextPreAuthKeyId,
            NextUserId = state.NextUserId,
            PurgeAtMs = state.PurgeAt?.ToUnixTimeMilliseconds() ?? 0,
            ApprovalRequired = state.Settings.ApprovalRequired,
            NodeLifetimeMs = NetworkSettings.Write(state.Settings.NodeLifetime),
            KeyRotationMs = NetworkSettings.Write(state.Settings.KeyRotation),
            PolicyText = state.Policy.Text,
            UnreadPolicyText = state.Policy.Unread?.Text ?? "",
            PolicyPosition = state.PolicyPosition,
            Pool = state.Addresses.Save(),
        };
        snapshot.Ipv4Excluded.AddRange(state.AddressPlan.IPv4Excluded.Select(excluded => excluded.ToString()));
        snapshot.Nodes.AddRange(state.Nodes.Values.Select(Encode));
        snapshot.Keys.AddRange(state.PreAuthKeys.Values.Select(Encode));
        snapshot.Users.AddRange(state.Users.Values.Select(Encode));
        return snapshot.ToByteArray();
    }

    /// <summary>
    /// Null for anything that <see cref="Encode(NetworkState)"/> of this format did not make, and where this version takes its policies
    /// otherwise than the one that made it: the log says then which policy stands.
    /// </summary>
    /// <param name="point">Where the state stood.</param>
    public static NetworkState? TryDecode(byte[] bytes, LogPoint point)
    {
        try
        {
            var snapshot = StateSnapshot.Parser.ParseFrom(bytes);
            return snapshot.Format == Format ? Decode(snapshot, point) : null;
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or ArgumentException or FormatException or KeyNotFoundException or PolicyRefusedException)
        {
            return null;
        }
    }

    private static NetworkState Decode(StateSnapshot snapshot, LogPoint point)
    {
        var plan = new AddressPlan(
            IPNetwork.Parse(snapshot.Ipv4Pool), [.. snapshot.Ipv4Excluded.Select(text => IPNetwork.Parse(text))], IPNetwork.Parse(snapshot.Ipv6Prefix));
        var program = new PolicyProgram(PolicyDocument.Parse(snapshot.PolicyText));
        var nodes = snapshot.Nodes.Select(Decode).ToList();
        var keys = snapshot.Keys.Select(Decode).ToList();
        var users = snapshot.Users.Select(Decode).ToList();
        var names = nodes.Aggregate(NameTable.Empty, (table, node) => table.Add(node.Name, node.Id));
        var state = new NetworkState
        {
            Id = new NetworkId(snapshot.NetworkId.Span),
            Name = snapshot.Name,
            Point = point,
            Nodes = nodes.ToImmutableDictionary(node => node.Id),
            NodesByMachineKey = nodes.ToImmutableDictionary(node => node.MachineKey.Id, node => node.Id),
            NodesByNodeKey = nodes.SelectMany(KeysOf).ToImmutableDictionary(),
            Names = names,
            AddressPlan = plan,
            Addresses = AddressPool.Restore(plan, nodes.Select(node => node.IPv4), snapshot.Pool ?? new PoolSnapshot()),
            PreAuthKeys = keys.ToImmutableDictionary(key => key.Id),
            PreAuthKeysByHash = keys.ToImmutableDictionary(key => key.Hash, key => key.Id),
            Users = users.ToImmutableDictionary(user => user.Id),
            UsersByName = users.ToImmutableDictionary(user => user.Name, user => user.Id, StringComparer.Ordinal),
            UsersByEmail = users.Where(user => user.Email.Length > 0).ToImmutableDictionary(user => user.Email.ToLowerInvariant(), user => user.Id, StringComparer.Ordinal),
            Policy = new NetworkPolicy(new FleetPolicy(program)),
            PolicyPosition = snapshot.PolicyPosition,
            Settings = NetworkSettings.Read(snapshot.ApprovalRequired, snapshot.NodeLifetimeMs, snapshot.KeyRotationMs),
            PurgeAt = ReadTime(snapshot.PurgeAtMs),
            NextNodeId = snapshot.NextNodeId,
            NextPreAuthKeyId = snapshot.NextPreAuthKeyId,
            NextUserId = snapshot.NextUserId,
        };
        var subjects = nodes.Select(state.SubjectOf).ToList();
        return state with
        {
            Policy = new NetworkPolicy(FleetPolicy.Of(program, subjects)) { Unread = Unread(snapshot.UnreadPolicyText) },
            Nodes = subjects.Select(subject => state.Nodes[subject.Id] with { ClassId = program.ClassOf(subject).Id }).ToImmutableDictionary(node => node.Id),
        };
    }

    /// <exception cref="FormatException">This version would have taken the text.</exception>
    private static UnreadPolicy? Unread(string text)
    {
        if (text.Length == 0) return null;
        try
        {
            PolicyDocument.Parse(text);
        }
        catch (PolicyRefusedException refused)
        {
            return new UnreadPolicy(text, refused.Problems[0]);
        }

        throw new FormatException("The policy that was not read is one.");
    }

    private static IEnumerable<KeyValuePair<X25519PublicKey, ulong>> KeysOf(Node node)
    {
        yield return KeyValuePair.Create(node.NodeKey, node.Id);
        if (node.PreviousNodeKey is { } previous)
            yield return KeyValuePair.Create(previous, node.Id);
    }

    private static NodeSnapshot Encode(Node node)
    {
        var snapshot = new NodeSnapshot
        {
            Id = node.Id,
            MachineSpki = ByteString.CopyFrom(node.MachineKey.SubjectPublicKeyInfo),
            NodeKey = ByteString.CopyFrom(node.NodeKey.AsSpan()),
            Name = node.Name,
            Ipv4 = ByteString.CopyFrom(node.IPv4.GetAddressBytes()),
            Ipv6 = ByteString.CopyFrom(node.IPv6.GetAddressBytes()),
            PreAuthKeyId = node.PreAuthKeyId,
            User = node.User,
            OwnerId = node.OwnerId,
            Ephemeral = node.Ephemeral,
            Approved = node.Approved,
            LoggedOut = node.LoggedOut,
            Expired = node.Expired,
            CreatedAtMs = node.CreatedAt.ToUnixTimeMilliseconds(),
            ExpiresAtMs = node.ExpiresAt?.ToUnixTimeMilliseconds() ?? 0,
            KeyChangedAtMs = node.KeyChangedAt.ToUnixTimeMilliseconds(),
            SightedAt = node.SightedAt,
            Hostname = node.Host.Hostname,
            Os = node.Host.Os,
            OsVersion = node.Host.OsVersion,
            Architecture = node.Host.Architecture,
            MeshVersion = node.Host.MeshVersion,
            Capabilities = node.Host.Capabilities,
        };
        if (node.PreviousNodeKey is { } previous)
            snapshot.PreviousNodeKey = ByteString.CopyFrom(previous.AsSpan());
        snapshot.Tags.AddRange(node.Tags);
        return snapshot;
    }

    private static Node Decode(NodeSnapshot snapshot) => new()
    {
        Id = snapshot.Id,
        MachineKey = new MachineKey(snapshot.MachineSpki.Span),
        NodeKey = new X25519PublicKey(snapshot.NodeKey.Span),
        PreviousNodeKey = snapshot.PreviousNodeKey.IsEmpty ? null : new X25519PublicKey(snapshot.PreviousNodeKey.Span),
        Name = snapshot.Name,
        IPv4 = new IPAddress(snapshot.Ipv4.Span),
        IPv6 = new IPAddress(snapshot.Ipv6.Span),
        PreAuthKeyId = snapshot.PreAuthKeyId,
        User = snapshot.User,
        OwnerId = snapshot.OwnerId,
        Tags = [.. snapshot.Tags],
        Ephemeral = snapshot.Ephemeral,
        Approved = snapshot.Approved,
        LoggedOut = snapshot.LoggedOut,
        Expired = snapshot.Expired,
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(snapshot.CreatedAtMs),
        ExpiresAt = ReadTime(snapshot.ExpiresAtMs),
        KeyChangedAt = DateTimeOffset.FromUnixTimeMilliseconds(snapshot.KeyChangedAtMs),
        SightedAt = snapshot.SightedAt,
        Host = new HostFacts(snapshot.Hostname, snapshot.Os, snapshot.OsVersion, snapshot.Architecture, snapshot.MeshVersion)
        {
            Capabilities = snapshot.Capabilities,
        },
    };

    private static KeySnapshot Encode(PreAuthKey key)
    {
        var snapshot = new KeySnapshot
        {
            Id = key.Id,
            Hash = ByteString.CopyFrom(key.Hash.ToArray()),
            Reusable = key.Reusable,
            Ephemeral = key.Ephemeral,
            PreApproved = key.PreApproved,
            UserId = key.UserId,
            User = key.User,
            CreatedAtMs = key.CreatedAt.ToUnixTimeMilliseconds(),
            ExpiresAtMs = key.ExpiresAt?.ToUnixTimeMilliseconds() ?? 0,
            RevokedAtMs = key.RevokedAt?.ToUnixTimeMilliseconds() ?? 0,
            Uses = key.Uses,
        };
        snapshot.Tags.AddRange(key.Tags);
        return snapshot;
    }

    private static PreAuthKey Decode(KeySnapshot snapshot) => new()
    {
        Id = snapshot.Id,
        Hash = new Bytes32(snapshot.Hash.Span),
        Reusable = snapshot.Reusable,
        Ephemeral = snapshot.Ephemeral,
        PreApproved = snapshot.PreApproved,
        UserId = snapshot.UserId,
        User = snapshot.User,
        Tags = [.. snapshot.Tags],
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(snapshot.CreatedAtMs),
        ExpiresAt = ReadTime(snapshot.ExpiresAtMs),
        RevokedAt = ReadTime(snapshot.RevokedAtMs),
        Uses = snapshot.Uses,
    };

    private static UserSnapshot Encode(User user) => new()
    {
        Id = user.Id, Name = user.Name, DisplayName = user.DisplayName, Email = user.Email, CreatedAtMs = user.CreatedAt.ToUnixTimeMilliseconds(),
    };

    private static User Decode(UserSnapshot snapshot) => new()
    {
        Id = snapshot.Id,
        Name = snapshot.Name,
        DisplayName = snapshot.DisplayName,
        Email = snapshot.Email,
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(snapshot.CreatedAtMs),
    };

    private static DateTimeOffset? ReadTime(long unixMilliseconds) =>
        unixMilliseconds == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(unixMilliseconds);
}
