using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Mesh.Protocol.Control;

namespace Mesh.Protocol.Tests.Control;

public sealed class CoordinatorTrustTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);
    private readonly ECDsa _rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root;
    private readonly X509Certificate2 _issuer;

    public CoordinatorTrustTests()
    {
        var root = new CertificateRequest("CN=root", _rootKey, HashAlgorithmName.SHA256);
        root.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 1, true));
        _root = root.CreateSelfSigned(Now.AddYears(-1), Now.AddYears(20));
        var issuer = new CertificateRequest("CN=issuer", _issuerKey, HashAlgorithmName.SHA256);
        issuer.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        _issuer = issuer.Create(_root.SubjectName, X509SignatureGenerator.CreateForECDsa(_rootKey), Now.AddDays(-30), Now.AddDays(335), [1]);
    }

    public void Dispose()
    {
        _root.Dispose();
        _issuer.Dispose();
        _rootKey.Dispose();
        _issuerKey.Dispose();
    }

    private X509Certificate2 Leaf(DateTimeOffset from, ECDsa? signer = null, X509Certificate2? shownRoot = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=leaf", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(CoordinatorTrust.ChainExtension(_issuer, shownRoot ?? _root));
        return request.Create(_issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(signer ?? _issuerKey), from, from.AddDays(1), [2]);
    }

    private TrustVerdict Judge(X509Certificate2? leaf) => CoordinatorTrust.Judge(leaf, CoordinatorTrust.PinOf(_root), Now, out _);

    [Fact]
    public void A_leaf_under_the_pinned_root_is_trusted()
    {
        using var leaf = Leaf(Now.AddHours(-1));
        Assert.Equal(TrustVerdict.Trusted, CoordinatorTrust.Judge(leaf, CoordinatorTrust.PinOf(_root), Now, out byte[]? spki));
        Assert.Equal(_root.PublicKey.ExportSubjectPublicKeyInfo(), spki);
    }

    [Fact]
    public void A_leaf_from_the_future_is_trusted_and_says_so()
    {
        using var leaf = Leaf(Now.AddHours(3));
        Assert.Equal(TrustVerdict.TrustedButFromTheFuture, Judge(leaf));
    }

    [Fact]
    public void An_expired_leaf_is_refused()
    {
        using var leaf = Leaf(Now.AddDays(-2));
        Assert.Equal(TrustVerdict.Expired, Judge(leaf));
    }

    [Fact]
    public void Another_coordinators_leaf_is_a_wrong_pin()
    {
        using var leaf = Leaf(Now.AddHours(-1));
        Assert.Equal(TrustVerdict.WrongPin, CoordinatorTrust.Judge(leaf, new byte[32], Now, out _));
    }

    [Fact]
    public void A_leaf_that_shows_the_pinned_root_without_its_signature_is_refused()
    {
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var leaf = Leaf(Now.AddHours(-1), stranger);
        Assert.Equal(TrustVerdict.NotSignedByRoot, Judge(leaf));
    }

    [Fact]
    public void A_certificate_without_the_chain_is_not_a_coordinator()
    {
        Assert.Equal(TrustVerdict.NotACoordinator, Judge(_issuer));
        Assert.Equal(TrustVerdict.NotACoordinator, Judge(null));
    }

    [Fact]
    public void No_flipped_byte_of_a_leaf_is_trusted()
    {
        using var leaf = Leaf(Now.AddHours(-1));
        byte[] der = leaf.RawData;
        for (int i = 0; i < der.Length; i++)
        {
            byte[] flipped = (byte[])der.Clone();
            flipped[i] ^= 1;
            X509Certificate2 changed;
            try
            {
                changed = X509CertificateLoader.LoadCertificate(flipped);
            }
            catch (CryptographicException)
            {
                continue;
            }
            using (changed) Assert.NotEqual(TrustVerdict.Trusted, Judge(changed));
        }
    }

    [Fact]
    public void A_head_is_valid_only_under_a_log_key_of_the_root()
    {
        using var logKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] networkId = RandomNumberGenerator.GetBytes(16);
        byte[] rootSpki = _root.PublicKey.ExportSubjectPublicKeyInfo();
        var head = SignedHead(logKey, _rootKey, CoordinatorTrust.LogKeyUsageOid, networkId);
        Assert.Equal(LogHeadVerdict.Valid, LogHeads.Verify(head, networkId, rootSpki));
        Assert.Equal(LogHeadVerdict.BadSignature, LogHeads.Verify(head, new byte[16], rootSpki));
        Assert.Equal(LogHeadVerdict.UntrustedLogKey,
            LogHeads.Verify(SignedHead(logKey, _issuerKey, CoordinatorTrust.LogKeyUsageOid, networkId), networkId, rootSpki));
        Assert.Equal(LogHeadVerdict.UntrustedLogKey,
            LogHeads.Verify(SignedHead(logKey, _rootKey, "1.3.6.1.5.5.7.3.1", networkId), networkId, rootSpki));
        head.Position++;
        Assert.Equal(LogHeadVerdict.BadSignature, LogHeads.Verify(head, networkId, rootSpki));
        head.Signature = ByteString.CopyFrom(1, 2, 3);
        Assert.Equal(LogHeadVerdict.Malformed, LogHeads.Verify(head, networkId, rootSpki));
    }

    private LogHead SignedHead(ECDsa logKey, ECDsa signer, string usage, byte[] networkId)
    {
        var request = new CertificateRequest("CN=log", logKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], true));
        using var certificate = request.Create(_root.SubjectName, X509SignatureGenerator.CreateForECDsa(signer), Now, Now.AddYears(1), [3]);
        byte[] hash = RandomNumberGenerator.GetBytes(32);
        Span<byte> canonical = stackalloc byte[LogHeads.CanonicalBytes];
        LogHeads.WriteCanonical(networkId, 7, hash, canonical);
        return new LogHead
        {
            Position = 7,
            Hash = ByteString.CopyFrom(hash),
            Signature = ByteString.CopyFrom(logKey.SignData(canonical, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)),
            LogKeyCertificate = ByteString.CopyFrom(certificate.RawData),
        };
    }
}
