using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

/// <summary>
/// TLS towards one coordinator: trusts its pin and nothing else, and shows this machine's certificate to no other server.
/// The client certificate leaves before the validation callback runs, so the pin is checked where the certificate is
/// chosen, and again in the validation. Remembers the newest verdict, for the error that a person will read.
/// </summary>
internal sealed class PinnedTls(ReadOnlyMemory<byte> pin, X509Certificate2 machineCertificate, TimeProvider time)
{
    private volatile Judgement? _last;
    private volatile byte[]? _rootSpki;

    /// <summary>What the newest connection's server proved; null before the first.</summary>
    public Judgement? Last => _last;

    /// <summary>SubjectPublicKeyInfo of the pinned root; null before the first trusted connection.</summary>
    public byte[]? RootSpki => _rootSpki;

    internal sealed record Judgement(TrustVerdict Verdict)
    {
        public bool IsTrusted => Verdict is TrustVerdict.Trusted or TrustVerdict.TrustedButFromTheFuture;
    }

    public SslClientAuthenticationOptions CreateOptions() => new()
    {
        EnabledSslProtocols = SslProtocols.Tls13,
        // A resumed session would skip both callbacks.
        AllowTlsResume = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        },
        LocalCertificateSelectionCallback = (_, _, _, remote, _) => Choose(remote)!,
        RemoteCertificateValidationCallback = (_, remote, _, _) => Judge(remote).IsTrusted,
    };

    // Called first before anything is known of the server (remote is null), and again when it asked for a certificate.
    private X509Certificate2? Choose(X509Certificate? remote) =>
        remote is not null && Judge(remote).IsTrusted ? machineCertificate : null;

    private Judgement Judge(X509Certificate? remote)
    {
        var verdict = CoordinatorTrust.Judge(remote as X509Certificate2, pin.Span, time.GetUtcNow(), out byte[]? rootSpki);
        // There is only one root that fits the pin, so a later stranger changes nothing here.
        if (rootSpki is not null) _rootSpki = rootSpki;
        return _last = new Judgement(verdict);
    }
}
