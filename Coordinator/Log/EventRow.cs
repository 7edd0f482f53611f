namespace Mesh.Coordinator.Log;

/// <summary>
/// An event as a store keeps it. The store never looks inside: chaining, sealing and signing are <see cref="EventLog"/>'s.
/// </summary>
/// <param name="Header"><see cref="EventHeader"/>, encoded.</param>
/// <param name="Hash">SHA-256(PreviousHash ‖ Header).</param>
/// <param name="Salt">32 random bytes, or null once the payload was erased.</param>
/// <param name="SealedPayload">Sealed by <see cref="PayloadSealer"/>, or null once erased.</param>
public sealed record EventRow(
    long Position, byte[] Header, Bytes32 PreviousHash, Bytes32 Hash, byte[]? Salt, byte[]? SealedPayload)
{
    public const int SaltLength = 32;
}
