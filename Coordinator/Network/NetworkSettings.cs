using System.Globalization;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Network;

/// <summary>What a network's administrators chose for all of its machines. Immutable.</summary>
/// <param name="ApprovalRequired">Every machine that the network has not seen waits until it is let in, unless its key is pre-approved.</param>
/// <param name="NodeLifetime">Of the authorisations of users' nodes, from when they are given; null for no end.</param>
/// <param name="KeyRotation">Nodes change their key so long after the last change; null for never.</param>
public sealed record NetworkSettings(bool ApprovalRequired, TimeSpan? NodeLifetime, TimeSpan? KeyRotation)
{
    public static NetworkSettings Default { get; } = new(false, NetworkLimits.NodeLifetime, NetworkLimits.KeyRotation);

    public static NetworkSettings Read(bool approvalRequired, long nodeLifetimeMs, long keyRotationMs) =>
        new(approvalRequired, Read(nodeLifetimeMs), Read(keyRotationMs));

    /// <summary>Milliseconds, 0 for null.</summary>
    public static long Write(TimeSpan? time) => (long)(time?.TotalMilliseconds ?? 0);

    /// <summary>When an authorisation that is given now ends; null for never. Machines of nobody, tagged ones among them, have no end.</summary>
    public DateTimeOffset? EndOf(ulong ownerId, DateTimeOffset now) => ownerId == 0 ? null : now + NodeLifetime;

    /// <summary>
    /// When a node is to change its key; null for never. Up to a tenth of the interval early, by its id, so that machines that
    /// joined together do not change together.
    /// </summary>
    public DateTimeOffset? RotationDue(Node node)
    {
        const ulong Golden = 0x9E3779B97F4A7C15;
        return KeyRotation is { } interval ? node.KeyChangedAt + (interval * (1 - (0.1 * (unchecked(node.Id * Golden) / (double)ulong.MaxValue)))) : null;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"approval {(ApprovalRequired ? "required" : "not required")}, users' machines expire {After(NodeLifetime)}, node keys change {After(KeyRotation)}");

    private static string After(TimeSpan? time) => time is { } t ? $"after {t.TotalDays:0.###} days" : "never";

    private static TimeSpan? Read(long milliseconds) => milliseconds == 0 ? null : TimeSpan.FromMilliseconds(milliseconds);
}

/// <summary>Changes settings. What is null stays as it is; zero stands for never.</summary>
public sealed record ChangeSettings(bool? ApprovalRequired, TimeSpan? NodeLifetime, TimeSpan? KeyRotation) : ICommand<NetworkSettings>
{
    public Decision<NetworkSettings> Decide(NetworkState state, DecisionContext context)
    {
        var before = state.Settings;
        var settings = new NetworkSettings(
            ApprovalRequired ?? before.ApprovalRequired,
            Check(NodeLifetime, before.NodeLifetime, NetworkLimits.MinNodeLifetime, "nodeLifetimeSeconds"),
            Check(KeyRotation, before.KeyRotation, NetworkLimits.MinKeyRotation, "keyRotationSeconds"));
        IMessage[] events = settings == before
            ? []
            : [new NetworkSettingsChanged
            {
                ApprovalRequired = settings.ApprovalRequired,
                NodeLifetimeMs = NetworkSettings.Write(settings.NodeLifetime),
                KeyRotationMs = NetworkSettings.Write(settings.KeyRotation),
            }];
        return new(events, after => after.Settings);
    }

    public NetworkSettings Recall(NetworkState state, IReadOnlyList<NetworkEvent> events) => state.Settings;

    private static TimeSpan? Check(TimeSpan? wanted, TimeSpan? before, TimeSpan least, string field)
    {
        if (wanted is not { } time)
            return before;
        if (time == TimeSpan.Zero)
            return null;
        return time >= least && time <= NetworkLimits.MaxSetting
            ? time
            : throw NetworkValues.Invalid($"It is 0 (never), or from {least.TotalMinutes} minutes to {NetworkLimits.MaxSetting.TotalDays} days.", field);
    }
}
