using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Trust;

/// <summary>
/// Makes the four kinds of certificate. Names and serials say nothing about the operator; what counts is the key and who
/// signed it. Nothing here holds a private key: what comes back is the public certificate.
/// </summary>
internal static class CertificateMint
{
    public static readonly TimeSpan IssuerLifetime = TimeSpan.FromDays(365);
    public static readonly TimeSpan LeafLifetime = TimeSpan.FromDays(1);

    private const string ServerAuthenticationOid = "1.3.6.1.5.5.7.3.1";

    // A leaf is good a little before it is made, for nodes whose clock is a little behind.
    private static readonly TimeSpan Backdating = TimeSpan.FromHours(1);

    private static readonly X500DistinguishedName RootName = new("CN=Mesh coordinator root");
    private static readonly X500DistinguishedName IssuerName = new("CN=Mesh coordinator issuer");

    // RFC 5280 section 4.1.2.5: no well-defined end. The root and the log key are as old as the pin and the log.
    private static readonly DateTimeOffset Never = new(9999, 12, 31, 23, 59, 59, TimeSpan.Zero);
    private static readonly DateTimeOffset Always = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static X509Certificate2 Root(ECDsa root) =>
        Sign(Authority(RootName, root, pathLength: 1), RootName, root, Always, Never);

    public static X509Certificate2 Issuer(ECDsa root, ECDsa issuer, DateTimeOffset now) =>
        Sign(Authority(IssuerName, issuer, pathLength: 0), RootName, root, now - LeafLifetime, now + IssuerLifetime);

    /// <param name="issuerSpki">SubjectPublicKeyInfo.</param>
    public static X509Certificate2 Issuer(ECDsa root, ReadOnlySpan<byte> issuerSpki, DateTimeOffset now)
    {
        using var issuer = PublicKeyOf(issuerSpki);
        return Issuer(root, issuer, now);
    }

    /// <param name="logSpki">SubjectPublicKeyInfo.</param>
    public static X509Certificate2 LogKey(ECDsa root, ReadOnlySpan<byte> logSpki)
    {
        using var logKey = PublicKeyOf(logSpki);
        return LogKey(root, logKey);
    }

    /// <summary>The root itself vouches for the log key, so that a log is checked with the root's public key alone.</summary>
    public static X509Certificate2 LogKey(ECDsa root, ECDsa logKey) =>
        Sign(EndEntity("CN=Mesh coordinator log", logKey, CoordinatorTrust.LogKeyUsageOid), RootName, root, Always, Never);

    public static X509Certificate2 Leaf(
        ECDsa issuer, X509Certificate2 rootCertificate, X509Certificate2 issuerCertificate, ECDsa leaf, DateTimeOffset now)
    {
        var request = EndEntity("CN=Mesh coordinator", leaf, ServerAuthenticationOid);
        request.CertificateExtensions.Add(CoordinatorTrust.ChainExtension(issuerCertificate, rootCertificate));
        return Sign(request, IssuerName, issuer, now - Backdating, now + LeafLifetime);
    }

    private static ECDsa PublicKeyOf(ReadOnlySpan<byte> spki)
    {
        var key = ECDsa.Create();
        key.ImportSubjectPublicKeyInfo(spki, out _);
        return key;
    }

    private static CertificateRequest Authority(X500DistinguishedName name, ECDsa key, int pathLength)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, pathLength, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return request;
    }

    private static CertificateRequest EndEntity(string name, ECDsa key, string usage)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        return request;
    }

    private static X509Certificate2 Sign(
        CertificateRequest request, X500DistinguishedName signer, ECDsa key, DateTimeOffset from, DateTimeOffset to)
    {
        Span<byte> serial = stackalloc byte[16];
        RandomNumberGenerator.Fill(serial);
        serial[0] = (byte)(serial[0] & 0x7f | 0x40); // positive and of full length, RFC 5280 section 4.1.2.2
        return request.Create(signer, X509SignatureGenerator.CreateForECDsa(key), from, to, serial);
    }
}
