using System.Security.Cryptography;
using Google.Protobuf;

namespace Mesh.Protocol.Control;

/// <summary>
/// How a coordinator's root names the root that will follow it, so that nodes take the next pin from the one they trust:
/// ECDSA P-256 with SHA-256, IEEE P1363, over
/// <code>
/// "mesh next root v1" (17) ‖ present pin (32) ‖ next pin (32)
/// </code>
/// </summary>
public static class NextRoots
{
    private const int CanonicalBytes = 17 + 2 * CoordinatorTrust.PinBytes;

    /// <param name="root">The present root, with its private half.</param>
    public static NextRoot Sign(ECDsa root, ReadOnlySpan<byte> nextPin)
    {
        byte[] canonical = Canonical(SHA256.HashData(root.ExportSubjectPublicKeyInfo()), nextPin);
        return new NextRoot
        {
            Pin = ByteString.CopyFrom(nextPin),
            Signature = ByteString.CopyFrom(root.SignData(canonical, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)),
        };
    }

    /// <summary>Whether the present root says so. Never throws on hostile input.</summary>
    /// <param name="rootSpki">The present root's SubjectPublicKeyInfo.</param>
    public static bool Verify(NextRoot next, ReadOnlySpan<byte> rootSpki)
    {
        if (next.Pin.Length != CoordinatorTrust.PinBytes || next.Signature.Length != ControlLimits.SignatureBytes) return false;
        try
        {
            using var root = ECDsa.Create();
            root.ImportSubjectPublicKeyInfo(rootSpki, out _);
            return root.KeySize == 256 && root.VerifyData(
                Canonical(SHA256.HashData(rootSpki), next.Pin.Span), next.Signature.Span, HashAlgorithmName.SHA256,
                DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static byte[] Canonical(ReadOnlySpan<byte> pin, ReadOnlySpan<byte> nextPin)
    {
        if (nextPin.Length != CoordinatorTrust.PinBytes) throw new ArgumentException("a pin has 32 bytes");
        byte[] canonical = new byte[CanonicalBytes];
        "mesh next root v1"u8.CopyTo(canonical);
        pin.CopyTo(canonical.AsSpan(17));
        nextPin.CopyTo(canonical.AsSpan(17 + CoordinatorTrust.PinBytes));
        return canonical;
    }
}
