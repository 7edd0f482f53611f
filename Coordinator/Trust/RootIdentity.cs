using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Trust;

/// <summary>
/// A root as nodes see it. A TLS connection keeps to the one it was opened under, so that all that its node is shown hangs
/// together while the coordinator goes over to the next. Immutable.
/// </summary>
/// <param name="LogCertificate">The log key's, signed by this root, DER.</param>
internal sealed record RootIdentity(X509Certificate2 Certificate, ByteString LogCertificate)
{
    /// <summary>SubjectPublicKeyInfo: all that is needed to check a log.</summary>
    public byte[] Spki { get; } = Certificate.PublicKey.ExportSubjectPublicKeyInfo();

    /// <summary>SHA-256 over it, 32 bytes; what join links carry.</summary>
    public byte[] Pin { get; } = CoordinatorTrust.PinOf(Certificate);

    /// <summary>A head with the log key's certificate by this root; the log key itself is the same under all of them.</summary>
    public LogHead Certify(LogHead head)
    {
        head.LogKeyCertificate = LogCertificate;
        return head;
    }
}
