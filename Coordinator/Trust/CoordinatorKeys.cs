using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Trust;

/// <summary>
/// The coordinator's keys: a root that the pin names, an issuer for a year, the log key, and server leaves for a day that
/// live in memory only. Made at first start, read afterwards. The root's private key may be gone (it lives elsewhere then);
/// everything works on until the issuer runs out.
/// </summary>
internal sealed class CoordinatorKeys : IDisposable
{
    // The issuer is renewed with so much of it left, which leaves time to notice when the root lives elsewhere.
    private static readonly TimeSpan IssuerRenewal = TimeSpan.FromDays(60);
    private static readonly TimeSpan LeafRenewal = CertificateMint.LeafLifetime / 2;

    private readonly TimeProvider _clock;
    private readonly StateDirectory _state;
    private readonly ECDsa? _root;
    private readonly Lock _renewing = new();
    private ECDsa _issuer;
    private X509Certificate2 _issuerCertificate;
    private volatile ServerLeaf? _leaf;

    private CoordinatorKeys(
        StateDirectory state, TimeProvider clock, ECDsa? root, X509Certificate2 rootCertificate, ECDsa issuer,
        X509Certificate2 issuerCertificate, EcdsaLogSigner log)
    {
        (_state, _clock, _root, _issuer, _issuerCertificate) = (state, clock, root, issuer, issuerCertificate);
        RootCertificate = rootCertificate;
        RootSpki = rootCertificate.PublicKey.ExportSubjectPublicKeyInfo();
        Log = log;
        Pin = CoordinatorTrust.PinOf(rootCertificate);
    }

    public X509Certificate2 RootCertificate { get; }

    /// <summary>SHA-256 over the root's SubjectPublicKeyInfo, 32 bytes; what join links carry.</summary>
    public ReadOnlyMemory<byte> Pin { get; }

    /// <summary>The root's SubjectPublicKeyInfo: all that is needed to check a log.</summary>
    public ReadOnlyMemory<byte> RootSpki { get; }

    /// <summary>Signs the heads of every network's log.</summary>
    public EcdsaLogSigner Log { get; }

    public DateTimeOffset IssuerExpires => _issuerCertificate.NotAfter;

    /// <summary>False when the root's private key lives elsewhere.</summary>
    public bool HoldsRootKey => _root is not null;

    /// <exception cref="StartFailure">A file is damaged, or keys and certificates do not belong together.</exception>
    public static CoordinatorKeys Open(StateDirectory state, TimeProvider clock)
    {
        try
        {
            return OpenFiles(state, clock);
        }
        catch (Exception e) when (e is CryptographicException or InvalidDataException or FileNotFoundException)
        {
            throw new StartFailure(ExitCode.StateDamaged,
                $"a key or certificate in {state.Path} is missing or damaged: {e.Message}",
                "restore root.key, root.crt, issuer.*, log.* from a backup; nothing was changed", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartFailure(ExitCode.StateDirectoryUnusable,
                $"the keys in {state.Path} cannot be read or written: {e.Message}", "check rights and free space", e);
        }
    }

    /// <summary>
    /// What the TLS listener serves now. Renewed here, when half a leaf's day is over or the clock fell before it, so no
    /// timer is needed. Thread-safe; the context stays usable for handshakes that hold it.
    /// </summary>
    public SslStreamCertificateContext ServerCertificate()
    {
        var now = _clock.GetUtcNow();
        var leaf = _leaf;
        if (leaf is not null && leaf.GoodAt(now)) return leaf.Context;
        lock (_renewing)
        {
            leaf = _leaf;
            if (leaf is not null && leaf.GoodAt(now)) return leaf.Context;
            RenewIssuer(now);
            _leaf = leaf = ServerLeaf.Make(_issuer, RootCertificate, _issuerCertificate, now, LeafRenewal);
            return leaf.Context;
        }
    }

    public void Dispose()
    {
        _root?.Dispose();
        _issuer.Dispose();
        Log.Dispose();
        RootCertificate.Dispose();
        _issuerCertificate.Dispose();
    }

    private void RenewIssuer(DateTimeOffset now)
    {
        if (_root is null || now < _issuerCertificate.NotAfter - IssuerRenewal) return;
        (_issuer, _issuerCertificate) = MakeIssuer(_state, _root, now);
    }

    private static CoordinatorKeys OpenFiles(StateDirectory state, TimeProvider clock)
    {
        var now = clock.GetUtcNow();
        byte[]? rootBytes = state.TryRead("root.crt");
        bool fresh = rootBytes is null;
        var root = ReadKey(state, "root.key");
        if (fresh && root is null)
        {
            if (state.TryRead("issuer.crt") is not null || Directory.EnumerateFileSystemEntries(state.Networks).Any())
                throw new FileNotFoundException("root.crt is missing, but this coordinator has run before");
            root = NewKey(state, "root.key");
        }
        var rootCertificate = fresh ? CertificateMint.Root(root!) : X509CertificateLoader.LoadCertificate(rootBytes!);
        if (fresh) state.Write("root.crt", rootCertificate.RawDataMemory.Span);
        if (root is not null) RequirePair(root, rootCertificate, "root");

        var (issuer, issuerCertificate) = ReadPair(state, "issuer") ?? MakeIssuer(state, Needed(root), now);
        var (logKey, logCertificate) = ReadPair(state, "log") ?? MakeLogKey(state, Needed(root));
        return new CoordinatorKeys(
            state, clock, root, rootCertificate, issuer, issuerCertificate, new EcdsaLogSigner(logKey, logCertificate.RawData));
    }

    private static ECDsa Needed(ECDsa? root) =>
        root ?? throw new FileNotFoundException("root.key is needed to sign a new issuer or log key, and is not here");

    private static (ECDsa Key, X509Certificate2 Certificate) MakeIssuer(StateDirectory state, ECDsa root, DateTimeOffset now)
    {
        var key = NewKey(state, "issuer.key");
        var certificate = CertificateMint.Issuer(root, key, now);
        state.Write("issuer.crt", certificate.RawDataMemory.Span);
        return (key, certificate);
    }

    // The key is written before its certificate. A crash between the two leaves a pair that does not match, or no
    // certificate; such a key has signed nothing yet, so the pair is made again.
    private static (ECDsa Key, X509Certificate2 Certificate)? ReadPair(StateDirectory state, string name)
    {
        if (state.TryRead(name + ".crt") is not { } bytes) return null;
        var certificate = X509CertificateLoader.LoadCertificate(bytes);
        var key = ReadKey(state, name + ".key") ?? throw new FileNotFoundException($"{name}.key is missing");
        return Matches(key, certificate) ? (key, certificate) : null;
    }

    private static (ECDsa Key, X509Certificate2 Certificate) MakeLogKey(StateDirectory state, ECDsa root)
    {
        var key = NewKey(state, "log.key");
        var certificate = CertificateMint.LogKey(root, key);
        state.Write("log.crt", certificate.RawDataMemory.Span);
        return (key, certificate);
    }

    private static void RequirePair(ECDsa key, X509Certificate2 certificate, string name)
    {
        if (!Matches(key, certificate)) throw new InvalidDataException($"{name}.key does not belong to {name}.crt");
    }

    private static bool Matches(ECDsa key, X509Certificate2 certificate) =>
        key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(certificate.PublicKey.ExportSubjectPublicKeyInfo());

    private static ECDsa NewKey(StateDirectory state, string file)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] bytes = key.ExportPkcs8PrivateKey();
        try
        {
            state.Write(file, bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
        return key;
    }

    private static ECDsa? ReadKey(StateDirectory state, string file)
    {
        if (state.TryRead(file) is not { } bytes) return null;
        var key = ECDsa.Create();
        try
        {
            key.ImportPkcs8PrivateKey(bytes, out int read);
            if (read != bytes.Length || key.KeySize != 256) throw new InvalidDataException($"{file} is not a P-256 key");
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
