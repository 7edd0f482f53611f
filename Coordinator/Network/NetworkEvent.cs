using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;

namespace Mesh.Coordinator.Network;

/// <summary>An event of a network's log, decoded.</summary>
/// <param name="Payload">A message of events.proto, or null once erased.</param>
public sealed record NetworkEvent(EventHeader Header, Bytes32 Hash, IMessage? Payload)
{
    public LogPoint Point => new(Header.Position, Hash);

    /// <summary>
    /// Throws <see cref="LogStoreFault.TooNew"/> for a kind that this version does not know, <see cref="LogStoreFault.Damaged"/>
    /// for a payload that is no message of its kind.
    /// </summary>
    public static NetworkEvent Decode(LogEntry entry)
    {
        var parser = ParserOf(entry.Header.Kind) ?? throw new LogStoreException(
            LogStoreFault.TooNew,
            $"The event at position {entry.Header.Position} is of kind {(ushort)entry.Header.Kind}, which this version does not " +
            "know. Start the version that wrote it, or a newer one.");
        if (entry.Payload is null)
            return new NetworkEvent(entry.Header, entry.Hash, null);
        try
        {
            return new NetworkEvent(entry.Header, entry.Hash, parser.ParseFrom(entry.Payload));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new LogStoreException(
                LogStoreFault.Damaged,
                $"The payload of the event at position {entry.Header.Position} does not decode. Restore the log from a backup.",
                e);
        }
    }

    public static EventKind KindOf(IMessage payload) => payload switch
    {
        NetworkCreated => EventKind.NetworkCreated,
        NetworkDeletionScheduled => EventKind.NetworkDeletionScheduled,
        NetworkDeletionCancelled => EventKind.NetworkDeletionCancelled,
        DataErased => EventKind.DataErased,
        NetworkSettingsChanged => EventKind.NetworkSettingsChanged,
        PreAuthKeyCreated => EventKind.PreAuthKeyCreated,
        PreAuthKeyRevoked => EventKind.PreAuthKeyRevoked,
        UserCreated => EventKind.UserCreated,
        UserRenamed => EventKind.UserRenamed,
        UserDeleted => EventKind.UserDeleted,
        NodeRegistered => EventKind.NodeRegistered,
        NodeReauthorized => EventKind.NodeReauthorized,
        NodeKeyChanged => EventKind.NodeKeyChanged,
        NodeKeyRetired => EventKind.NodeKeyRetired,
        NodeLoggedOut => EventKind.NodeLoggedOut,
        NodeDeleted => EventKind.NodeDeleted,
        NodeHostReported => EventKind.NodeHostReported,
        NodeRenamed => EventKind.NodeRenamed,
        NodeExpirySet => EventKind.NodeExpirySet,
        NodeExpired => EventKind.NodeExpired,
        NodeSighted => EventKind.NodeSighted,
        NodeTagged => EventKind.NodeTagged,
        NodeApproved => EventKind.NodeApproved,
        PolicySet => EventKind.PolicySet,
        _ => throw new ArgumentException($"{payload.Descriptor.FullName} is no event.", nameof(payload)),
    };

    private static MessageParser? ParserOf(EventKind kind) => kind switch
    {
        EventKind.NetworkCreated => NetworkCreated.Parser,
        EventKind.NetworkDeletionScheduled => NetworkDeletionScheduled.Parser,
        EventKind.NetworkDeletionCancelled => NetworkDeletionCancelled.Parser,
        EventKind.DataErased => DataErased.Parser,
        EventKind.NetworkSettingsChanged => NetworkSettingsChanged.Parser,
        EventKind.PreAuthKeyCreated => PreAuthKeyCreated.Parser,
        EventKind.PreAuthKeyRevoked => PreAuthKeyRevoked.Parser,
        EventKind.UserCreated => UserCreated.Parser,
        EventKind.UserRenamed => UserRenamed.Parser,
        EventKind.UserDeleted => UserDeleted.Parser,
        EventKind.NodeRegistered => NodeRegistered.Parser,
        EventKind.NodeReauthorized => NodeReauthorized.Parser,
        EventKind.NodeKeyChanged => NodeKeyChanged.Parser,
        EventKind.NodeKeyRetired => NodeKeyRetired.Parser,
        EventKind.NodeLoggedOut => NodeLoggedOut.Parser,
        EventKind.NodeDeleted => NodeDeleted.Parser,
        EventKind.NodeHostReported => NodeHostReported.Parser,
        EventKind.NodeRenamed => NodeRenamed.Parser,
        EventKind.NodeExpirySet => NodeExpirySet.Parser,
        EventKind.NodeExpired => NodeExpired.Parser,
        EventKind.NodeSighted => NodeSighted.Parser,
        EventKind.NodeTagged => NodeTagged.Parser,
        EventKind.NodeApproved => NodeApproved.Parser,
        EventKind.PolicySet => PolicySet.Parser,
        _ => null,
    };
}
