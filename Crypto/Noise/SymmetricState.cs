using System.Security.Cryptography;

namespace Mesh.Crypto.Noise;

/// <summary>
/// Noise's SymmetricState for 25519, ChaChaPoly and BLAKE2s (Noise specification revision 34, section 5.2): chaining key,
/// transcript hash and cipher key, in memory that does not move, zeroed by <see cref="Dispose"/>.
/// </summary>
public sealed class SymmetricState : IDisposable
{
    private const int Size = 32;
    private readonly byte[] _memory = GC.AllocateArray<byte>(3 * Size, pinned: true);
    private ulong _nonce;
    private bool _hasKey;

    /// <param name="initialChainingKey">Hash of the protocol's name, 32 bytes.</param>
    /// <param name="initialHash">The same, after the prologue was mixed in, 32 bytes.</param>
    public SymmetricState(ReadOnlySpan<byte> initialChainingKey, ReadOnlySpan<byte> initialHash)
    {
        if (initialChainingKey.Length != Size) throw new ArgumentException($"a chaining key has {Size} bytes", nameof(initialChainingKey));
        if (initialHash.Length != Size) throw new ArgumentException($"a transcript hash has {Size} bytes", nameof(initialHash));
        initialChainingKey.CopyTo(ChainingKey);
        initialHash.CopyTo(TranscriptHash);
    }

    private SymmetricState(SymmetricState other)
    {
        other._memory.CopyTo(_memory, 0);
        (_nonce, _hasKey) = (other._nonce, other._hasKey);
    }

    private Span<byte> ChainingKey => _memory.AsSpan(0, Size);

    private Span<byte> TranscriptHash => _memory.AsSpan(Size, Size);

    private Span<byte> CipherKey => _memory.AsSpan(2 * Size, Size);

    /// <summary>The transcript hash so far, 32 bytes; after the last message it binds the whole handshake.</summary>
    public ReadOnlySpan<byte> HandshakeHash => TranscriptHash;

    /// <summary>A copy that goes its own way: a message that may be forged is tried on one.</summary>
    public SymmetricState Clone() => new(this);

    public void MixHash(ReadOnlySpan<byte> data) => Blake2s.Hash(TranscriptHash, data, TranscriptHash);

    /// <summary>MixKey whose cipher key is not kept: enough where a MixKey follows before anything is sealed.</summary>
    public void MixChainingKey(ReadOnlySpan<byte> input) => Blake2s.Kdf(ChainingKey, input, ChainingKey);

    public void MixKey(ReadOnlySpan<byte> input)
    {
        Blake2s.Kdf(ChainingKey, input, ChainingKey, CipherKey);
        (_nonce, _hasKey) = (0, true);
    }

    /// <param name="presharedKey">32 bytes.</param>
    public void MixKeyAndHash(ReadOnlySpan<byte> presharedKey)
    {
        Span<byte> hash = stackalloc byte[Size];
        Blake2s.Kdf(ChainingKey, presharedKey, ChainingKey, hash, CipherKey);
        (_nonce, _hasKey) = (0, true);
        MixHash(hash);
        CryptographicOperations.ZeroMemory(hash);
    }

    /// <param name="destination">Plaintext length + 16.</param>
    public void EncryptAndHash(ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        if (!_hasKey) throw new InvalidOperationException("no key was mixed in");
        ChaCha20Poly1305.Seal(CipherKey, _nonce++, plaintext, TranscriptHash, destination);
        MixHash(destination);
    }

    /// <returns>False when the tag does not hold; the state is of no use then.</returns>
    public bool TryDecryptAndHash(ReadOnlySpan<byte> ciphertext, Span<byte> plaintext)
    {
        if (!_hasKey) throw new InvalidOperationException("no key was mixed in");
        if (!ChaCha20Poly1305.TryOpen(CipherKey, _nonce++, ciphertext, TranscriptHash, plaintext)) return false;
        MixHash(ciphertext);
        return true;
    }

    /// <summary>The transport keys, 32 bytes each: what the initiator seals with, and what the responder seals with.</summary>
    public void Split(Span<byte> initiatorKey, Span<byte> responderKey) =>
        Blake2s.Kdf(ChainingKey, default, initiatorKey, responderKey);

    public void Dispose() => CryptographicOperations.ZeroMemory(_memory);
}
