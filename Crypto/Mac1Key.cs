using System.Security.Cryptography;

namespace Mesh.Crypto;

/// <summary>
/// Key of mac1, the proof that a sender knows the receiver's public key: Hash("mac1----" ‖ public key) (paper section 5.4.4).
/// </summary>
public sealed class Mac1Key
{
    private readonly byte[] _key = new byte[Blake2s.HashLength];

    public Mac1Key(in X25519PublicKey receiver) => Blake2s.Hash("mac1----"u8, receiver.AsSpan(), _key);

    /// <param name="mac">16 bytes.</param>
    public void Compute(ReadOnlySpan<byte> message, Span<byte> mac) => Blake2s.Mac(_key, message, mac);

    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> mac)
    {
        Span<byte> expected = stackalloc byte[Blake2s.MacLength];
        Compute(message, expected);
        return CryptographicOperations.FixedTimeEquals(expected, mac);
    }
}
