using System.Security.Cryptography;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Trust;

namespace Mesh.Coordinator.Tests.Log;

/// <summary>A root and a log key under it, for one test.</summary>
internal sealed class TestSigner : ILogSigner, IDisposable
{
    private readonly ECDsa _root;
    private readonly EcdsaLogSigner _signer;

    public TestSigner(ECDsa? root = null)
    {
        _root = root ?? ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var logKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var certificate = CertificateMint.LogKey(_root, logKey);
        _signer = new EcdsaLogSigner(logKey, certificate.RawData);
    }

    /// <summary>The root's SubjectPublicKeyInfo.</summary>
    public byte[] RootSpki => _root.ExportSubjectPublicKeyInfo();

    public SignedHead Sign(NetworkId network, LogPoint point) => _signer.Sign(network, point);

    public SignedSnapshot Sign(NetworkId network, LogPoint point, byte[] sealedState) => _signer.Sign(network, point, sealedState);

    public bool HasSigned(NetworkId network, SignedSnapshot snapshot) => _signer.HasSigned(network, snapshot);

    public void Dispose()
    {
        _signer.Dispose();
        _root.Dispose();
    }
}
