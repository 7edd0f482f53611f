using System.Collections.Immutable;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Network;

/// <summary>Makes a pre-auth key. Its text is in the result and nowhere else.</summary>
public sealed class CreatePreAuthKey : ICommand<CreatedPreAuthKey>
{
    private readonly string _text = PreAuthKeyText.New();

    public bool Reusable { get; init; }

    /// <summary>Of the nodes that it registers.</summary>
    public bool Ephemeral { get; init; }

    /// <summary>Its machines need no approval where the network asks for it.</summary>
    public bool PreApproved { get; init; }

    /// <summary>The login of a user of the network, "" for none.</summary>
    public string User { get; init; } = "";

    public ImmutableArray<string> Tags { get; init; } = [];

    /// <summary>Null for never.</summary>
    public TimeSpan? Lifetime { get; init; } = NetworkLimits.PreAuthKeyLifetime;

    public Decision<CreatedPreAuthKey> Decide(NetworkState state, DecisionContext context)
    {
        if (state.PreAuthKeys.Count >= NetworkLimits.PreAuthKeys)
            throw new CommandRefusedException(RefusalReason.LimitReached, "The network holds as many pre-auth keys as it may.");
        if (Lifetime is { } lifetime && (lifetime <= TimeSpan.Zero || lifetime > NetworkLimits.MaxPreAuthKeyLifetime))
            throw new CommandRefusedException(
                RefusalReason.Invalid, $"A key's lifetime is above zero and at most {NetworkLimits.MaxPreAuthKeyLifetime.TotalDays} days.") { Field = "expiresInSeconds" };
        var user = User.Length == 0 ? null : NetworkValues.FindUser(state, User);
        var tags = NetworkValues.CheckTags(Tags);
        NetworkValues.CheckTagRights(state, user, tags);
        PreAuthKeyText.TryHash(_text, out var hash);
        var id = state.NextPreAuthKeyId;
        var e = new PreAuthKeyCreated
        {
            Id = id,
            Hash = ByteString.CopyFrom(hash.ToArray()),
            Reusable = Reusable,
            Ephemeral = Ephemeral,
            PreApproved = PreApproved,
            UserId = user?.Id ?? 0,
            User = user?.Name ?? "",
            ExpiresAtMs = Lifetime is null ? 0 : (context.Now + Lifetime.Value).ToUnixTimeMilliseconds(),
        };
        e.Tags.AddRange(tags);
        return new([e], after => new CreatedPreAuthKey(after.PreAuthKeys[id], _text));
    }

    public CreatedPreAuthKey Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        events is [{ Payload: PreAuthKeyCreated e }] && state.PreAuthKeys.TryGetValue(e.Id, out var key)
            ? new CreatedPreAuthKey(key, null)
            : throw NetworkValues.OtherCommand();
}

/// <param name="Text">The key itself; null when the command was done before, since it is shown only once.</param>
public sealed record CreatedPreAuthKey(PreAuthKey Key, string? Text)
{
    public override string ToString() => $"pre-auth key {Key.Id}";
}

/// <summary>Ends a pre-auth key. Nodes that it let in stay.</summary>
public sealed record RevokePreAuthKey(ulong KeyId) : ICommand<PreAuthKey>
{
    public Decision<PreAuthKey> Decide(NetworkState state, DecisionContext context)
    {
        if (!state.PreAuthKeys.TryGetValue(KeyId, out var key))
            throw new CommandRefusedException(RefusalReason.PreAuthKeyUnknown, $"There is no pre-auth key {KeyId}.") { Field = "id" };
        IMessage[] events = key.RevokedAt is null ? [new PreAuthKeyRevoked { Id = KeyId }] : [];
        return new(events, after => after.PreAuthKeys[KeyId]);
    }

    public PreAuthKey Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) =>
        events is [{ Payload: PreAuthKeyRevoked e }] && state.PreAuthKeys.TryGetValue(e.Id, out var key)
            ? key
            : throw NetworkValues.OtherCommand();
}
