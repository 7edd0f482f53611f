using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mesh.Coordinator.Trust;

/// <summary>Signs the heads of every network's log with the key that the root vouches for. Thread-safe.</summary>
internal sealed class LogSigner(ECDsa key, X509Certificate2 certificate) : IDisposable
{
    private readonly Lock _signing = new();

    /// <summary>DER, under <see cref="Protocol.Control.ControlLimits.LogKeyCertificateBytes"/>; signed by the root itself.</summary>
    public ReadOnlyMemory<byte> Certificate { get; } = certificate.RawData;

    /// <summary>ECDSA P-256 with SHA-256 over the data, IEEE P1363 form, 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> data)
    {
        lock (_signing) return key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    public void Dispose()
    {
        key.Dispose();
        certificate.Dispose();
    }
}
