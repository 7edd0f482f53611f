using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Coordinator.Trust;

/// <summary>A server certificate for a day, with its key in memory only.</summary>
internal sealed class ServerLeaf
{
    private readonly DateTimeOffset _from;
    private readonly DateTimeOffset _until;

    private ServerLeaf(SslStreamCertificateContext context, DateTimeOffset from, DateTimeOffset until) =>
        (Context, _from, _until) = (context, from, until);

    public SslStreamCertificateContext Context { get; }

    /// <summary>Whether it need not be renewed yet. False also when the clock went back before it was made.</summary>
    public bool GoodAt(DateTimeOffset now) => now >= _from && now < _until;

    public static ServerLeaf Make(
        ECDsa issuer, X509Certificate2 rootCertificate, X509Certificate2 issuerCertificate, DateTimeOffset now, TimeSpan renewal)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = CertificateMint.Leaf(issuer, rootCertificate, issuerCertificate, key, now);
        // The context keeps the pair; it lives as long as a handshake may hold it, and is left to the collector.
        var pair = certificate.CopyWithPrivateKey(key);
        return new ServerLeaf(SslStreamCertificateContext.Create(pair, additionalCertificates: null, offline: true), now, now + renewal);
    }
}
