using System.Text;

namespace Mesh.Crypto.Noise;

/// <summary>A protocol's name and prologue, hashed once for all its handshakes.</summary>
public sealed class NoiseProtocol
{
    private readonly byte[] _chainingKey = new byte[Blake2s.HashLength];
    private readonly byte[] _hash = new byte[Blake2s.HashLength];

    /// <param name="name">"Noise_IK_25519_ChaChaPoly_BLAKE2s" or "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s".</param>
    public NoiseProtocol(string name, ReadOnlySpan<byte> prologue)
    {
        ArgumentNullException.ThrowIfNull(name);
        HasPsk = name switch
        {
            "Noise_IK_25519_ChaChaPoly_BLAKE2s" => false,
            "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s" => true,
            _ => throw new ArgumentException("not a protocol that is spoken here", nameof(name)),
        };
        // Both names are longer than a hash, so they are hashed and not padded (Noise section 5.2).
        Blake2s.Hash(Encoding.ASCII.GetBytes(name), default, _chainingKey);
        Blake2s.Hash(_chainingKey, prologue, _hash);
    }

    internal bool HasPsk { get; }

    /// <summary>Hash of the name, 32 bytes: where every handshake's chaining key begins.</summary>
    internal ReadOnlySpan<byte> ChainingKey => _chainingKey;

    /// <summary>The transcript hash after the prologue, 32 bytes.</summary>
    internal ReadOnlySpan<byte> Hash => _hash;

    /// <summary>WireGuard's (paper section 5.4): IKpsk2 with its own prologue.</summary>
    public static NoiseProtocol WireGuard { get; } =
        new("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s", "WireGuard v1 zx2c4 Jason@zx2c4.com"u8);
}
