using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Mesh.Coordinator.Log;

/// <summary>
/// A network's state at a point of its log, so that opening need not fold what lies before; the log stays the truth. Signed
/// by the log key over
/// <code>
/// "mesh snapshot v1" (16) ‖ network id (16) ‖ position, 64 bit big endian (8) ‖ chain hash (32) ‖ SHA-256(sealed state) (32)
/// </code>
/// </summary>
/// <param name="SealedState">Sealed by <see cref="PayloadSealer"/> under the snapshot's position and the kind 0, which no event has.</param>
/// <param name="Signature">ECDSA P-256 with SHA-256, r ‖ s, 64 bytes.</param>
/// <param name="Certificate">The log key's, signed by the root, DER.</param>
public sealed record SignedSnapshot(LogPoint Point, byte[] SealedState, byte[] Signature, byte[] Certificate)
{
    /// <summary>In the associated data of a sealed state, where events have their kind.</summary>
    public const EventKind SealingKind = 0;

    private const int CanonicalLength = 16 + NetworkId.Length + 8 + Bytes32.Length + Bytes32.Length;

    /// <param name="logKey">With its private half.</param>
    public static SignedSnapshot Sign(NetworkId network, LogPoint point, byte[] sealedState, ECDsa logKey, byte[] certificate) =>
        new(point, sealedState, logKey.SignData(
            Canonical(network, point, sealedState), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation), certificate);

    /// <summary>Checks the signature alone, not the certificate.</summary>
    public bool IsSignedBy(ECDsa logKey, NetworkId network) => logKey.VerifyData(
        Canonical(network, Point, SealedState), Signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    private static byte[] Canonical(NetworkId network, LogPoint point, byte[] sealedState)
    {
        var bytes = new byte[CanonicalLength];
        "mesh snapshot v1"u8.CopyTo(bytes);
        network.CopyTo(bytes.AsSpan(16));
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(32), point.Position);
        point.Hash.CopyTo(bytes.AsSpan(40));
        SHA256.HashData(sealedState, bytes.AsSpan(72));
        return bytes;
    }
}
