using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Protocol.Control;

public enum TrustVerdict
{
    /// <summary>The pinned root vouches for the leaf, and it is within its time.</summary>
    Trusted,

    /// <summary>As <see cref="Trusted"/>, but the leaf or its issuer begins in the future: one of the two clocks is off.</summary>
    TrustedButFromTheFuture,

    /// <summary>No certificate, or one without a readable <see cref="CoordinatorTrust.ChainExtensionOid"/>: not a coordinator.</summary>
    NotACoordinator,

    /// <summary>A coordinator, but not the one that the pin names.</summary>
    WrongPin,

    /// <summary>The leaf names the pinned root, but the root's key did not sign it.</summary>
    NotSignedByRoot,

    /// <summary>The leaf's or the issuer's time is over.</summary>
    Expired,
}

/// <summary>
/// How a coordinator's TLS certificate proves itself to a pin: root (ECDSA P-256, named by the pin) signs an issuer, the
/// issuer signs the leaf, and the leaf carries both certificates in an extension, because TLS stacks leave a self-signed
/// root out of what they send. The pin is all that is trusted: no public authority, no host name.
/// </summary>
public static class CoordinatorTrust
{
    // An arc of our own under 2.25 (ITU-T X.667: made from a UUID, so it needs no registration).
    private const string Arc = "2.25.167621752260527880674684394016045432377";

    /// <summary>
    /// Extension of a server leaf: DER SEQUENCE { issuer Certificate, root Certificate }, not critical, at most
    /// <see cref="ChainExtensionBytes"/>.
    /// </summary>
    public const string ChainExtensionOid = Arc + ".1";

    /// <summary>Extended key usage of the key that signs log heads.</summary>
    public const string LogKeyUsageOid = Arc + ".2";

    public const int ChainExtensionBytes = 4096;
    public const int PinBytes = 32;

    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";

    /// <summary>SHA-256 over the key's SubjectPublicKeyInfo.</summary>
    public static byte[] PinOf(X509Certificate2 root) => SHA256.HashData(root.PublicKey.ExportSubjectPublicKeyInfo());

    public static X509Extension ChainExtension(X509Certificate2 issuer, X509Certificate2 root)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteEncodedValue(issuer.RawData);
            writer.WriteEncodedValue(root.RawData);
        }
        return new X509Extension(ChainExtensionOid, writer.Encode(), critical: false);
    }

    /// <summary>Judges what a server showed. Never throws on hostile input.</summary>
    /// <param name="pin">32 bytes.</param>
    /// <param name="rootSpki">The root's SubjectPublicKeyInfo when the verdict is one of the two that trust.</param>
    public static TrustVerdict Judge(X509Certificate2? leaf, ReadOnlySpan<byte> pin, DateTimeOffset now, out byte[]? rootSpki)
    {
        rootSpki = null;
        if (leaf is null || !TryReadChain(leaf, out var issuer, out var root)) return TrustVerdict.NotACoordinator;
        using (issuer)
        using (root)
        {
            try
            {
                byte[] spki = root.PublicKey.ExportSubjectPublicKeyInfo();
                if (!CryptographicOperations.FixedTimeEquals(SHA256.HashData(spki), pin)) return TrustVerdict.WrongPin;
                if (!IsSignedByRoot(leaf, issuer, root)) return TrustVerdict.NotSignedByRoot;
                if (now > leaf.NotAfter.ToUniversalTime() || now > issuer.NotAfter.ToUniversalTime()) return TrustVerdict.Expired;
                rootSpki = spki;
                return now < leaf.NotBefore.ToUniversalTime() || now < issuer.NotBefore.ToUniversalTime()
                    ? TrustVerdict.TrustedButFromTheFuture
                    : TrustVerdict.Trusted;
            }
            catch (CryptographicException)
            {
                return TrustVerdict.NotACoordinator;
            }
        }
    }

    /// <summary>Whether <paramref name="signer"/> (P-256) signed the certificate with ECDSA and SHA-256. Looks at nothing else.</summary>
    public static bool IsSignedBy(X509Certificate2 certificate, ECDsa signer)
    {
        try
        {
            var outer = new AsnReader(certificate.RawDataMemory, AsnEncodingRules.DER).ReadSequence();
            var signed = outer.ReadEncodedValue();
            string algorithm = outer.ReadSequence().ReadObjectIdentifier();
            byte[] signature = outer.ReadBitString(out int unused);
            return algorithm == "1.2.840.10045.4.3.2" && unused == 0 && !outer.HasData && signer.KeySize == 256
                && signer.VerifyData(signed.Span, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    private static bool IsSignedByRoot(X509Certificate2 leaf, X509Certificate2 issuer, X509Certificate2 root)
    {
        using var rootKey = root.GetECDsaPublicKey();
        using var issuerKey = issuer.GetECDsaPublicKey();
        return rootKey is not null && issuerKey is not null && IsSignedBy(issuer, rootKey) && IsSignedBy(leaf, issuerKey)
            && IsAuthority(issuer) && !IsAuthority(leaf) && ServesTls(leaf);
    }

    private static bool IsAuthority(X509Certificate2 certificate)
    {
        foreach (var extension in certificate.Extensions)
            if (extension is X509BasicConstraintsExtension constraints) return constraints.CertificateAuthority;
        return false;
    }

    private static bool ServesTls(X509Certificate2 leaf)
    {
        foreach (var extension in leaf.Extensions)
            if (extension is X509EnhancedKeyUsageExtension usages)
                foreach (var usage in usages.EnhancedKeyUsages)
                    if (usage.Value == ServerAuthenticationOid) return true;
        return false;
    }

    private static bool TryReadChain(
        X509Certificate2 leaf, [NotNullWhen(true)] out X509Certificate2? issuer, [NotNullWhen(true)] out X509Certificate2? root)
    {
        (issuer, root) = (null, null);
        byte[]? value = null;
        foreach (var extension in leaf.Extensions)
            if (extension.Oid?.Value == ChainExtensionOid) value = extension.RawData;
        if (value is null || value.Length > ChainExtensionBytes) return false;
        try
        {
            var sequence = new AsnReader(value, AsnEncodingRules.DER).ReadSequence();
            var issuerDer = sequence.ReadEncodedValue();
            var rootDer = sequence.ReadEncodedValue();
            if (sequence.HasData) return false;
            issuer = X509CertificateLoader.LoadCertificate(issuerDer.Span);
            root = X509CertificateLoader.LoadCertificate(rootDer.Span);
            return true;
        }
        catch (Exception e) when (e is AsnContentException or CryptographicException)
        {
            issuer?.Dispose();
            issuer = null;
            return false;
        }
    }
}
