using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Coordinator.Trust;

/// <summary>
/// The coordinator's keys: a root that the pin names, an issuer for a year, the log key, and server leaves for a day that
/// live in memory only. Made at first start, read afterwards. The root's private key may be gone (it lives elsewhere then);
/// everything works on until the issuer runs out. Thread-safe.
/// </summary>
internal sealed partial class CoordinatorKeys : IDisposable
{
    // The issuer is renewed with so much of it left, which leaves time to notice when the root lives elsewhere.
    private static readonly TimeSpan IssuerRenewal = TimeSpan.FromDays(60);
    private static readonly TimeSpan LeafRenewal = CertificateMint.LeafLifetime / 2;

    private readonly TimeProvider _clock;
    private readonly StateDirectory _state;
    private readonly ILogger _log;
    private readonly Lock _changing = new();

    // Guarded by the lock, but for reads of what is volatile.
    private ECDsa? _root;
    private ECDsa _issuer;
    private X509Certificate2 _issuerCertificate;
    private ECDsa? _pendingIssuer;
    private IReadOnlyList<byte[]> _past;
    private volatile RootIdentity _identity;
    private volatile NextRoot? _next;
    private volatile Served? _served;

    private CoordinatorKeys(
        StateDirectory state, TimeProvider clock, ILogger log, ECDsa? root, RootIdentity identity, ECDsa issuer,
        X509Certificate2 issuerCertificate, EcdsaLogSigner logSigner, NextRoot? next)
    {
        (_state, _clock, _log, _root, _identity, _issuer, _issuerCertificate, _next) = (state, clock, log, root, identity, issuer, issuerCertificate, next);
        _past = PastRoots.Read(state);
        Log = logSigner;
    }

    /// <summary>A next root was announced, or took over. Raised under no lock.</summary>
    public event Action? RootsChanged;

    /// <summary>The present root.</summary>
    public RootIdentity Root => _identity;

    public X509Certificate2 RootCertificate => _identity.Certificate;

    /// <summary>SHA-256 over the root's SubjectPublicKeyInfo, 32 bytes; what join links carry.</summary>
    public ReadOnlyMemory<byte> Pin => _identity.Pin;

    /// <summary>The root's SubjectPublicKeyInfo: all that is needed to check a log.</summary>
    public ReadOnlyMemory<byte> RootSpki => _identity.Spki;

    /// <summary>SubjectPublicKeyInfos of the present root and of those before it.</summary>
    public IReadOnlyList<byte[]> AllRoots => [_identity.Spki, .. _past];

    /// <summary>The announced next root; null for none.</summary>
    public NextRoot? Next => _next;

    /// <summary>Signs the heads of every network's log.</summary>
    public EcdsaLogSigner Log { get; }

    public DateTimeOffset IssuerExpires => _issuerCertificate.NotAfter;

    /// <summary>False when the root's private key lives elsewhere.</summary>
    public bool HoldsRootKey => _root is not null;

    /// <exception cref="StartFailure">A file is damaged, or keys and certificates do not belong together.</exception>
    public static CoordinatorKeys Open(StateDirectory state, TimeProvider clock, ILogger? log = null)
    {
        try
        {
            return OpenFiles(state, clock, log ?? NullLogger.Instance);
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
    /// What the TLS listeners serve now. Renewed here, when half a leaf's day is over or the clock fell before it, so no
    /// timer is needed. The context stays usable for handshakes that hold it.
    /// </summary>
    public SslStreamCertificateContext ServerCertificate() => Serve().Certificate;

    /// <summary>As <see cref="ServerCertificate"/>, with the root that it leads to.</summary>
    public (SslStreamCertificateContext Certificate, RootIdentity Root) Serve()
    {
        var now = _clock.GetUtcNow();
        var served = _served;
        if (served is null || !served.Leaf.GoodAt(now))
        {
            lock (_changing)
            {
                served = _served;
                if (served is null || !served.Leaf.GoodAt(now))
                {
                    RenewIssuerWhenDue(now);
                    _served = served = new Served(ServerLeaf.Make(_issuer, RootCertificate, _issuerCertificate, now, LeafRenewal), _identity);
                }
            }
        }
        return (served.Leaf.Context, served.Root);
    }

    public void Dispose()
    {
        _root?.Dispose();
        _issuer.Dispose();
        _pendingIssuer?.Dispose();
        Log.Dispose();
        RootCertificate.Dispose();
        _issuerCertificate.Dispose();
    }

    // Under the lock.
    private void RenewIssuerWhenDue(DateTimeOffset now)
    {
        if (now < _issuerCertificate.NotAfter - IssuerRenewal) return;
        if (_root is null) LogIssuerRunsOut((int)Math.Max(0, (_issuerCertificate.NotAfter - now).TotalDays));
        else (_issuer, _issuerCertificate) = MakeIssuer(_state, _root, now);
    }

    private static CoordinatorKeys OpenFiles(StateDirectory state, TimeProvider clock, ILogger log)
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
        var identity = new RootIdentity(rootCertificate, ByteString.CopyFrom(logCertificate.RawData));
        return new CoordinatorKeys(
            state, clock, log, root, identity, issuer, issuerCertificate, new EcdsaLogSigner(logKey, logCertificate.RawData), ReadNext(state, identity));
    }

    private static ECDsa Needed(ECDsa? root) =>
        root ?? throw new FileNotFoundException("root.key is needed to sign a new issuer or log key, and is not here");

    private static (ECDsa Key, X509Certificate2 Certificate) MakeIssuer(StateDirectory state, ECDsa root, DateTimeOffset now)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var certificate = CertificateMint.Issuer(root, key, now);
        WithPrivateKey(key, bytes => state.WriteTogether([("issuer.key", bytes), ("issuer.crt", certificate.RawData)]));
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
        WithPrivateKey(key, bytes => state.Write(file, bytes));
        return key;
    }

    /// <summary>Gives the key's PKCS#8 to an action, and zeroes it afterwards.</summary>
    private static void WithPrivateKey(ECDsa key, Action<byte[]> use)
    {
        byte[] bytes = key.ExportPkcs8PrivateKey();
        try
        {
            use(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
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

    private sealed record Served(ServerLeaf Leaf, RootIdentity Root);

    [LoggerMessage(EventId = 1601, Level = LogLevel.Warning,
        Message = "The issuer is good for {Days} more days and the root key is not here to renew it: run 'mesh-coordinator root renew --key-file FILE'")]
    private partial void LogIssuerRunsOut(int days);
}
