using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Cli;

/// <summary>TLS towards one coordinator that trusts its pin and nothing else. Nothing is sent to a server that does not prove it.</summary>
internal sealed class PinnedConnection(JoinLink link, TimeProvider clock)
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private volatile object? _verdict;

    /// <summary>What the last server proved; null before one answered.</summary>
    public TrustVerdict? Verdict => (TrustVerdict?)_verdict;

    public SocketsHttpHandler CreateHandler() => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = ConnectTimeout,
        SslOptions = new SslClientAuthenticationOptions
        {
            EnabledSslProtocols = SslProtocols.Tls13,
            // A resumed session would skip the callback.
            AllowTlsResume = false,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true,
            },
            RemoteCertificateValidationCallback = (_, certificate, _, _) => Judge(certificate as X509Certificate2),
        },
    };

    private bool Judge(X509Certificate2? certificate)
    {
        var verdict = CoordinatorTrust.Judge(certificate, link.Pin.Span, clock.GetUtcNow(), out _);
        _verdict = verdict;
        return verdict is TrustVerdict.Trusted or TrustVerdict.TrustedButFromTheFuture;
    }
}
