using System.Security.Cryptography;

namespace Mesh.Protocol.Control;

/// <summary>
/// Proof that a machine holds a node key's private half: HMAC-SHA256 under
/// HKDF-SHA256(X25519(node key, challenge key), salt = nonce, info = "mesh node-key proof v1") over
/// machine SubjectPublicKeyInfo ‖ node key ‖ network id. Both ends compute it; the shared secret itself never leaves them,
/// since a raw answer would make either end an oracle for other handshakes.
/// </summary>
public static class NodeKeyProofs
{
    private static ReadOnlySpan<byte> Info => "mesh node-key proof v1"u8;

    /// <summary>Writes the 32-byte proof.</summary>
    /// <param name="sharedSecret">X25519 output, 32 bytes, not all zero (the caller's primitive refuses that). The caller zeroes it.</param>
    /// <param name="nonce">From the challenge, 32 bytes.</param>
    /// <param name="machineSpki">DER SubjectPublicKeyInfo of the client certificate.</param>
    /// <param name="nodeKey">X25519 public key, 32 bytes.</param>
    /// <param name="networkId">16 bytes.</param>
    /// <param name="proof">32 bytes.</param>
    public static void Compute(
        ReadOnlySpan<byte> sharedSecret, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> machineSpki, ReadOnlySpan<byte> nodeKey,
        ReadOnlySpan<byte> networkId, Span<byte> proof)
    {
        CheckLength(sharedSecret.Length, ControlLimits.KeyBytes, nameof(sharedSecret));
        CheckLength(nonce.Length, ControlLimits.NonceBytes, nameof(nonce));
        CheckLength(nodeKey.Length, ControlLimits.KeyBytes, nameof(nodeKey));
        CheckLength(networkId.Length, ControlLimits.NetworkIdBytes, nameof(networkId));
        CheckLength(proof.Length, ControlLimits.ProofBytes, nameof(proof));
        Span<byte> key = stackalloc byte[32];
        byte[] message = new byte[machineSpki.Length + nodeKey.Length + networkId.Length];
        machineSpki.CopyTo(message);
        nodeKey.CopyTo(message.AsSpan(machineSpki.Length));
        networkId.CopyTo(message.AsSpan(machineSpki.Length + nodeKey.Length));
        try
        {
            HKDF.DeriveKey(HashAlgorithmName.SHA256, sharedSecret, key, nonce, Info);
            HMACSHA256.HashData(key, message, proof);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static void CheckLength(int actual, int expected, string name)
    {
        if (actual != expected) throw new ArgumentException($"{name} is {expected} bytes", name);
    }
}
