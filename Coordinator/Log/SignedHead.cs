using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Log;

/// <summary>
/// The coordinator's signed word that a network's log stood at a point. Whoever keeps two heads that no one log can have
/// produced holds the proof that it was forked. <see cref="LogHeads"/> has the bytes that are signed.
/// </summary>
/// <param name="Signature">ECDSA P-256 with SHA-256, r ‖ s, 64 bytes.</param>
/// <param name="Certificate">The log key's, signed by the root, DER.</param>
public sealed record SignedHead(LogPoint Point, byte[] Signature, byte[] Certificate)
{
    /// <summary>Signs a head.</summary>
    /// <param name="logKey">With its private half.</param>
    public static SignedHead Sign(NetworkId network, LogPoint point, ECDsa logKey, byte[] certificate)
    {
        var signature = logKey.SignData(
            Canonical(network, point), HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        return new SignedHead(point, signature, certificate);
    }

    /// <summary>Checks the signature alone, not the certificate.</summary>
    /// <param name="logKey">The certificate's public key.</param>
    public bool IsSignedBy(ECDsa logKey, NetworkId network) => logKey.VerifyData(
        Canonical(network, Point), Signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);

    /// <summary>Checks everything: certificate under the root, and signature.</summary>
    /// <param name="rootSpki">The root's SubjectPublicKeyInfo.</param>
    public LogHeadVerdict Verify(NetworkId network, ReadOnlySpan<byte> rootSpki) =>
        LogHeads.Verify(ToMessage(), network.ToArray(), rootSpki);

    /// <summary>As map frames carry it.</summary>
    public LogHead ToMessage() => new()
    {
        Position = (ulong)Point.Position,
        Hash = ByteString.CopyFrom(Point.Hash.ToArray()),
        Signature = ByteString.CopyFrom(Signature),
        LogKeyCertificate = ByteString.CopyFrom(Certificate),
    };

    private static byte[] Canonical(NetworkId network, LogPoint point)
    {
        var bytes = new byte[LogHeads.CanonicalBytes];
        LogHeads.WriteCanonical(network.ToArray(), (ulong)point.Position, point.Hash.ToArray(), bytes);
        return bytes;
    }
}
