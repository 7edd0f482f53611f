namespace Mesh.Coordinator.Log;

/// <summary>What an event says. The numbers are stored in headers, in the clear; add, never renumber.</summary>
public enum EventKind : ushort
{
    NetworkCreated = 1,
    NetworkDeletionScheduled = 2,
    NetworkDeletionCancelled = 3,
    DataErased = 4,
    NetworkSettingsChanged = 5,

    PreAuthKeyCreated = 16,
    PreAuthKeyRevoked = 17,

    UserCreated = 24,
    UserRenamed = 25,
    UserDeleted = 26,

    NodeRegistered = 32,
    NodeReauthorized = 33,
    NodeKeyChanged = 34,
    NodeKeyRetired = 35,
    NodeLoggedOut = 36,
    NodeDeleted = 37,
    NodeHostReported = 38,
    NodeRenamed = 39,
    NodeExpirySet = 40,
    NodeExpired = 41,
    NodeSighted = 42,
    NodeTagged = 43,
    NodeApproved = 44,

    PolicySet = 64,
}
