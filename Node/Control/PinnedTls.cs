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
internal sealed class PinnedTls(PinPair pins, X509Certificate2 machineCertificate, TimeProvider time)
{
    private volatile PinPair _pins = pins;
    private volatile Judgement? _last;
    private volatile byte[]? _rootSpki;

    /// <summary>What the newest connection's server proved; null before the first.</summary>
    public Judgement? Last => _last;

    /// <summary>SubjectPublicKeyInfo of the pinned root that was met last; null before the first trusted connection.</summary>
    public byte[]? RootSpki => _rootSpki;

    /// <summary>What is trusted now; once a server proved the next pin, that alone.</summary>
    public PinPair Pins => _pins;

    /// <summary>A next root was named by the present one: it is trusted beside it.</summary>
    public void Expect(ReadOnlyMemory<byte> next) => _pins = _pins with { Next = next };

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
        var pins = _pins;
        var verdict = CoordinatorTrust.Judge(remote as X509Certificate2, pins.Present.Span, time.GetUtcNow(), out byte[]? rootSpki);
        if (verdict == TrustVerdict.WrongPin && !pins.Next.IsEmpty)
        {
            var next = CoordinatorTrust.Judge(remote as X509Certificate2, pins.Next.Span, time.GetUtcNow(), out rootSpki);
            if (next != TrustVerdict.WrongPin) verdict = next;
            if (rootSpki is not null) _pins = new PinPair(pins.Next, default);
        }
        // There is only one root that fits a pin, so a later stranger changes nothing here.
        if (rootSpki is not null) _rootSpki = rootSpki;
        return _last = new Judgement(verdict);
    }
}

/// <summary>The pin that a node trusts, and the one that its root said will follow.</summary>
/// <param name="Present">32 bytes.</param>
/// <param name="Next">32 bytes, or empty.</param>
internal sealed record PinPair(ReadOnlyMemory<byte> Present, ReadOnlyMemory<byte> Next);
