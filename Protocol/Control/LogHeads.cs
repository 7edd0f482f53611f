using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Protocol.Control;

public enum LogHeadVerdict
{
    Valid,

    /// <summary>A field has a length it cannot have.</summary>
    Malformed,

    /// <summary>The log key's certificate is not one, is not for signing heads, or the root did not sign it.</summary>
    UntrustedLogKey,

    /// <summary>The signature is not the log key's over this head.</summary>
    BadSignature,
}

/// <summary>
/// What a head of a network's log is signed over, and the check of it. The log key's certificate is signed by the
/// coordinator's root key itself and carries <see cref="CoordinatorTrust.LogKeyUsageOid"/> as its only extended key usage, so
/// that no TLS key can sign heads and no log key can serve TLS.
/// </summary>
public static class LogHeads
{
    /// <summary>
    /// <code>
    /// "mesh log head v1" (16) ‖ network id (16) ‖ position, 64 bit big endian (8) ‖ chain hash (32)
    /// </code>
    /// </summary>
    public const int CanonicalBytes = 16 + ControlLimits.NetworkIdBytes + 8 + ControlLimits.HashBytes;

    private static ReadOnlySpan<byte> Domain => "mesh log head v1"u8;

    /// <summary>Writes the <see cref="CanonicalBytes"/> bytes that the log key signs (ECDSA P-256, SHA-256, IEEE P1363).</summary>
    public static void WriteCanonical(ReadOnlySpan<byte> networkId, ulong position, ReadOnlySpan<byte> hash, Span<byte> output)
    {
        if (networkId.Length != ControlLimits.NetworkIdBytes || hash.Length != ControlLimits.HashBytes || output.Length != CanonicalBytes)
            throw new ArgumentException("a head is signed over a network id of 16 bytes and a hash of 32");
        Domain.CopyTo(output);
        networkId.CopyTo(output[16..]);
        BinaryPrimitives.WriteUInt64BigEndian(output[32..], position);
        hash.CopyTo(output[40..]);
    }

    /// <summary>
    /// The log key of a certificate that the root signed for nothing but that; null for any other. Never throws on hostile
    /// input. The caller disposes of it.
    /// </summary>
    public static ECDsa? ReadLogKey(ReadOnlySpan<byte> certificateDer, ReadOnlySpan<byte> rootSpki)
    {
        if (certificateDer.Length is 0 or > ControlLimits.LogKeyCertificateBytes) return null;
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(certificateDer);
            using var root = ECDsa.Create();
            root.ImportSubjectPublicKeyInfo(rootSpki, out _);
            if (!CoordinatorTrust.IsSignedBy(certificate, root) || !HasOnlyLogKeyUsage(certificate)) return null;
            return certificate.GetECDsaPublicKey() is { KeySize: 256 } key ? key : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>Checks a head against the coordinator's root key. Never throws on hostile input.</summary>
    /// <param name="rootSpki">The root's SubjectPublicKeyInfo, whose SHA-256 is the pin.</param>
    public static LogHeadVerdict Verify(LogHead head, ReadOnlySpan<byte> networkId, ReadOnlySpan<byte> rootSpki)
    {
        if (head.Hash.Length != ControlLimits.HashBytes || head.Signature.Length != ControlLimits.SignatureBytes
            || networkId.Length != ControlLimits.NetworkIdBytes
            || head.LogKeyCertificate.Length is 0 or > ControlLimits.LogKeyCertificateBytes)
            return LogHeadVerdict.Malformed;
        try
        {
            using var key = ReadLogKey(head.LogKeyCertificate.Span, rootSpki);
            if (key is null) return LogHeadVerdict.UntrustedLogKey;
            Span<byte> canonical = stackalloc byte[CanonicalBytes];
            WriteCanonical(networkId, head.Position, head.Hash.Span, canonical);
            return key.VerifyData(canonical, head.Signature.Span, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)
                ? LogHeadVerdict.Valid
                : LogHeadVerdict.BadSignature;
        }
        catch (CryptographicException)
        {
            return LogHeadVerdict.UntrustedLogKey;
        }
    }

    private static bool HasOnlyLogKeyUsage(X509Certificate2 certificate)
    {
        bool found = false;
        foreach (var extension in certificate.Extensions)
        {
            if (extension is not X509EnhancedKeyUsageExtension usages) continue;
            if (found || usages.EnhancedKeyUsages.Count != 1 || usages.EnhancedKeyUsages[0].Value != CoordinatorTrust.LogKeyUsageOid) return false;
            found = true;
        }
        return found;
    }
}
