using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Trust;

/// <summary>
/// Care of the root key: it may leave, sign from where it is, and be followed by another.
/// <code>
/// root key   event                          next
/// Here       Remove, shown a copy           Elsewhere
/// Here       leaf due, issuer runs out      Here, a new issuer
/// Elsewhere  Accept(issuer that it signed)  Elsewhere, that issuer
/// any        Announce(next root)            any, nodes are told
/// any        SwitchRoot                     the next root is the root; its key is here when it was made here
/// </code>
/// </summary>
internal sealed partial class CoordinatorKeys
{
    private static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    // Beside these stands next-root.key, when the next root was made here.
    private const string NextRootCertificate = "next-root.crt", NextRootKey = "next-root.key", NextIssuerCertificate = "next-issuer.crt",
        NextIssuerKey = "next-issuer.key", NextLogCertificate = "next-log.crt", NextStatement = "next-root.signed";

    /// <summary>What the root signs to let its key be removed here: it ties the removal to this root and this issuer.</summary>
    public static byte[] RemovalStatement(ReadOnlySpan<byte> pin, ReadOnlySpan<byte> issuerCertificate) =>
        [.. "mesh root removal v1"u8, .. pin, .. SHA256.HashData(issuerCertificate)];

    public byte[] IssuerCertificate
    {
        get { lock (_changing) return _issuerCertificate.RawData; }
    }

    /// <summary>The root's private key, PKCS#8; the caller zeroes it. Null when it lives elsewhere.</summary>
    public byte[]? ExportRoot()
    {
        lock (_changing) return _root?.ExportPkcs8PrivateKey();
    }

    /// <summary>Forgets the root's private key, for whoever shows that he holds a copy of it.</summary>
    /// <param name="signature">The root's over <see cref="RemovalStatement"/>, IEEE P1363.</param>
    /// <returns>False when the signature is not that. True also when the key was gone before.</returns>
    public bool TryRemoveRoot(ReadOnlySpan<byte> signature)
    {
        lock (_changing)
        {
            using var publicKey = _identity.Certificate.GetECDsaPublicKey()!;
            if (!publicKey.VerifyData(RemovalStatement(_identity.Pin, _issuerCertificate.RawData), signature, HashAlgorithmName.SHA256,
                DSASignatureFormat.IeeeP1363FixedFieldConcatenation)) return false;
            _state.WriteTogether([("root.key", null)]);
            _root?.Dispose();
            _root = null;
            LogRootRemoved();
            return true;
        }
    }

    /// <summary>The public key that the next issuer will have, SubjectPublicKeyInfo: what a root that is elsewhere signs.</summary>
    public byte[] RequestIssuer()
    {
        lock (_changing) return (_pendingIssuer ??= ECDsa.Create(ECCurve.NamedCurves.nistP256)).ExportSubjectPublicKeyInfo();
    }

    /// <summary>Renews the issuer with the root key that is here. False when it is not.</summary>
    public bool TryRenewIssuer()
    {
        lock (_changing)
        {
            if (_root is null) return false;
            (_issuer, _issuerCertificate) = MakeIssuer(_state, _root, _clock.GetUtcNow());
            _served = null;
            return true;
        }
    }

    /// <summary>Takes an issuer that the root has signed elsewhere. What is wrong with it, or null.</summary>
    /// <param name="der">For the key of <see cref="RequestIssuer"/>.</param>
    public string? AcceptIssuer(byte[] der)
    {
        lock (_changing)
        {
            if (CheckIssuer(der, _identity.Spki, out var certificate) is { } problem) return problem;
            WithPrivateKey(_pendingIssuer!, bytes => _state.WriteTogether([("issuer.key", bytes), ("issuer.crt", der)]));
            (_issuer, _issuerCertificate, _pendingIssuer, _served) = (_pendingIssuer!, certificate!, null, null);
            return null;
        }
    }

    /// <summary>Makes a next root here and announces it. False when the present root's key is not here to say so.</summary>
    public bool TryMakeNext()
    {
        lock (_changing)
        {
            if (_root is null) return false;
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var issuer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var certificate = CertificateMint.Root(key);
            using var issuerCertificate = CertificateMint.Issuer(key, issuer, _clock.GetUtcNow());
            using var logCertificate = CertificateMint.LogKey(key, Log.PublicKey);
            Announce(
                NextRoots.Sign(_root, CoordinatorTrust.PinOf(certificate)), certificate.RawData, key, issuer, issuerCertificate.RawData, logCertificate.RawData);
        }
        RootsChanged?.Invoke();
        return true;
    }

    /// <summary>Announces a next root that was made elsewhere. What is wrong with it, and of which part, or null.</summary>
    public (string Part, string Problem)? AcceptNext(byte[] rootDer, byte[] issuerDer, byte[] logDer, byte[] signature)
    {
        lock (_changing)
        {
            if (TryLoad(rootDer) is not { } certificate || MachineCertificate.TryReadKey(certificate) is not { } spki)
                return ("rootCertificate", "is not a certificate of a P-256 key");
            var next = new NextRoot { Pin = ByteString.CopyFrom(CoordinatorTrust.PinOf(certificate)), Signature = ByteString.CopyFrom(signature) };
            if (!NextRoots.Verify(next, _identity.Spki)) return ("signature", "is not the present root's for that next root");
            if (CheckIssuer(issuerDer, spki, out _) is { } problem) return ("issuerCertificate", problem);
            using var logKey = LogHeads.ReadLogKey(logDer, spki);
            if (logKey is null || !logKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(Log.PublicKey))
                return ("logCertificate", "is not the next root's for the log key");
            Announce(next, rootDer, null, _pendingIssuer!, issuerDer, logDer);
            _pendingIssuer = null;
        }
        RootsChanged?.Invoke();
        return null;
    }

    /// <summary>The next root takes over, at once and for good. False when it is not the announced one.</summary>
    public bool TrySwitchRoot(ReadOnlySpan<byte> pin)
    {
        lock (_changing)
        {
            if (_next is null || !_next.Pin.Span.SequenceEqual(pin)) return false;
            byte[] Read(string name) => _state.TryRead(name) ?? throw new IOException($"{_state.File(name)} is missing");
            byte[] certificate = Read(NextRootCertificate), issuer = Read(NextIssuerCertificate), log = Read(NextLogCertificate);
            byte[] issuerKey = Read(NextIssuerKey);
            byte[]? key = _state.TryRead(NextRootKey);
            List<byte[]> past = [.. _past, _identity.Spki];
            try
            {
                _state.WriteTogether(
                [
                    ("root.crt", certificate), ("root.key", key), ("issuer.key", issuerKey), ("issuer.crt", issuer), ("log.crt", log),
                    (PastRoots.FileName, [.. past.SelectMany(spki => spki)]),
                    (NextRootCertificate, null), (NextRootKey, null), (NextIssuerCertificate, null), (NextIssuerKey, null),
                    (NextLogCertificate, null), (NextStatement, null),
                ]);
            }
            finally
            {
                CryptographicOperations.ZeroMemory(issuerKey);
                CryptographicOperations.ZeroMemory(key);
            }
            _root?.Dispose();
            (_root, _past, _next, _served) = (ReadKey(_state, "root.key"), past, null, null);
            (_issuer, _issuerCertificate) = ReadPair(_state, "issuer") ?? throw new IOException("the next issuer does not fit its key");
            Log.Recertify(log);
            // The certificate before it is left to connections that still hold it.
            _identity = new RootIdentity(X509CertificateLoader.LoadCertificate(certificate), ByteString.CopyFrom(log));
            LogSwitched();
        }
        RootsChanged?.Invoke();
        return true;
    }

    // Under the lock.
    private void Announce(NextRoot next, byte[] certificate, ECDsa? key, ECDsa issuer, byte[] issuerDer, byte[] logDer)
    {
        WithPrivateKey(issuer, issuerKey =>
        {
            void Store(byte[]? rootKey) => _state.WriteTogether(
            [
                (NextRootCertificate, certificate), (NextRootKey, rootKey), (NextIssuerKey, issuerKey), (NextIssuerCertificate, issuerDer),
                (NextLogCertificate, logDer), (NextStatement, next.Signature.ToByteArray()),
            ]);
            if (key is null) Store(null);
            else WithPrivateKey(key, Store);
        });
        _next = next;
        LogAnnounced();
    }

    private string? CheckIssuer(byte[] der, ReadOnlySpan<byte> rootSpki, out X509Certificate2? certificate)
    {
        certificate = TryLoad(der);
        if (certificate is null) return "is not a certificate";
        if (_pendingIssuer is null) return "was not asked for by this coordinator since it started; ask anew";
        if (MachineCertificate.TryReadKey(certificate) is not { } key || !key.AsSpan().SequenceEqual(_pendingIssuer.ExportSubjectPublicKeyInfo()))
            return "is not for the key that this coordinator asked for; ask anew";
        using var root = ECDsa.Create();
        root.ImportSubjectPublicKeyInfo(rootSpki, out _);
        if (!CoordinatorTrust.IsSignedBy(certificate, root)) return "is not signed by that root";
        if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().SingleOrDefault() is not { CertificateAuthority: true })
            return "is not one that may sign server certificates";
        var now = _clock.GetUtcNow();
        return certificate.NotBefore > now + ClockTolerance || certificate.NotAfter < now + CertificateMint.LeafLifetime
            ? "is not good now and for a day"
            : null;
    }

    private static X509Certificate2? TryLoad(byte[] der)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(der);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static NextRoot? ReadNext(StateDirectory state, RootIdentity root)
    {
        if (state.TryRead(NextStatement) is not { } signature || state.TryRead(NextRootCertificate) is not { } der) return null;
        using var certificate = X509CertificateLoader.LoadCertificate(der);
        var next = new NextRoot { Pin = ByteString.CopyFrom(CoordinatorTrust.PinOf(certificate)), Signature = ByteString.CopyFrom(signature) };
        return NextRoots.Verify(next, root.Spki) ? next : throw new InvalidDataException($"{NextStatement} is not the root's");
    }

    [LoggerMessage(EventId = 1602, Level = LogLevel.Information, Message = "The root's private key was removed from the state directory")]
    private partial void LogRootRemoved();

    [LoggerMessage(EventId = 1603, Level = LogLevel.Information, Message = "A next root is announced; nodes learn of it through the map")]
    private partial void LogAnnounced();

    [LoggerMessage(EventId = 1604, Level = LogLevel.Information, Message = "The next root has taken over; nodes connect anew")]
    private partial void LogSwitched();
}
