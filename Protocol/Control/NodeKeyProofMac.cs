using System.Security.Cryptography;
using Mesh.Crypto;

namespace Mesh.Protocol.Control;

/// <summary>
/// Proof that a node holds the private half of the node key it registers, bound to the machine key and the network:
/// HMAC-SHA256 under HKDF-SHA256(X25519(node key, challenge key), salt = nonce, info = "mesh node-key proof v1") over
/// machine SPKI ‖ node key ‖ network id. The shared secret itself never leaves this class: it would answer other handshakes.
/// </summary>
public static class NodeKeyProofMac
{
    /// <param name="local">Node: its node key. Coordinator: the challenge's private key.</param>
    /// <param name="remote">Node: the challenge key. Coordinator: the node key.</param>
    /// <param name="nonce">From the challenge, 32 bytes.</param>
    /// <param name="machineSpki">DER SubjectPublicKeyInfo of the machine's client certificate.</param>
    /// <param name="nodeKey">Public half of the node key, on both sides.</param>
    /// <param name="networkId">16 bytes.</param>
    /// <param name="proof">32 bytes. The coordinator compares it in fixed time.</param>
    /// <returns>False when the remote key is of low order.</returns>
    public static bool TryCompute(X25519PrivateKey local, in X25519PublicKey remote, ReadOnlySpan<byte> nonce,
        ReadOnlySpan<byte> machineSpki, in X25519PublicKey nodeKey, ReadOnlySpan<byte> networkId, Span<byte> proof)
    {
        ArgumentNullException.ThrowIfNull(local);
        // Fixed lengths at the end of what is covered make the one variable length in front of it unambiguous.
        Check(nonce.Length, ControlLimits.NonceBytes, nameof(nonce));
        Check(networkId.Length, ControlLimits.NetworkIdBytes, nameof(networkId));
        Check(proof.Length, ControlLimits.ProofBytes, nameof(proof));
        Span<byte> shared = stackalloc byte[SecretKey.Length];
        Span<byte> key = stackalloc byte[ControlLimits.ProofBytes];
        try
        {
            if (!local.TryAgree(remote, shared)) return false;
            HKDF.DeriveKey(HashAlgorithmName.SHA256, shared, key, nonce, "mesh node-key proof v1"u8);
            byte[] covered = [.. machineSpki, .. nodeKey.AsSpan(), .. networkId];
            HMACSHA256.HashData(key, covered, proof);
            return true;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(shared);
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static void Check(int actual, int expected, string name)
    {
        if (actual != expected) throw new ArgumentException($"{name} has {expected} bytes", name);
    }
}
