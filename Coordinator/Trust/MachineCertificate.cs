using System.Security.Cryptography.X509Certificates;

namespace Mesh.Coordinator.Trust;

/// <summary>
/// The client certificate by which a machine shows its key: self-signed, so that only the key counts. Names, dates and
/// extensions are ignored; a machine's clock may be wrong before it has joined.
/// </summary>
internal static class MachineCertificate
{
    /// <summary>Length of the one form of a P-256 SubjectPublicKeyInfo that is accepted: named curve, uncompressed point.</summary>
    public const int SpkiBytes = 91;

    // SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 66 bytes, uncompressed point }, RFC 5480.
    private static ReadOnlySpan<byte> SpkiPrefix =>
        [0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
         0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04];

    /// <summary>The machine key's SubjectPublicKeyInfo, 91 bytes; null when the certificate is not for an ECDSA P-256 key.</summary>
    public static byte[]? TryReadKey(X509Certificate? certificate)
    {
        if (certificate is not X509Certificate2 full) return null;
        byte[] spki = full.PublicKey.ExportSubjectPublicKeyInfo();
        return spki.Length == SpkiBytes && spki.AsSpan().StartsWith(SpkiPrefix) ? spki : null;
    }
}
