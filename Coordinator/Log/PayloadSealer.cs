using System.Buffers.Binary;
using System.Security.Cryptography;
using Mesh.Crypto;

namespace Mesh.Coordinator.Log;

/// <summary>
/// Seals an event's payload under the network's data key with XChaCha20-Poly1305: nonce (24, random) ‖ ciphertext ‖ tag (16).
/// The associated data, network id (16) ‖ position (8) ‖ kind (2), ties a payload to its place. Thread-safe but for its
/// disposal. Owns the key.
/// </summary>
public sealed class PayloadSealer(NetworkId network, DataKey key) : IDisposable
{
    private const int NonceLength = XChaCha20Poly1305.NonceLength;
    private const int TagLength = XChaCha20Poly1305.TagLength;
    private const int AssociatedDataLength = NetworkId.Length + 8 + 2;

    public byte[] Seal(long position, EventKind kind, ReadOnlySpan<byte> payload)
    {
        Span<byte> associatedData = stackalloc byte[AssociatedDataLength];
        WriteAssociatedData(position, kind, associatedData);
        var result = new byte[NonceLength + payload.Length + TagLength];
        var nonce = result.AsSpan(0, NonceLength);
        RandomNumberGenerator.Fill(nonce);
        XChaCha20Poly1305.Seal(key.Bytes, nonce, payload, associatedData, result.AsSpan(NonceLength));
        return result;
    }

    /// <summary>Null when the payload was not sealed under this key for this place.</summary>
    public byte[]? Open(long position, EventKind kind, ReadOnlySpan<byte> sealedPayload)
    {
        if (sealedPayload.Length < NonceLength + TagLength)
            return null;
        Span<byte> associatedData = stackalloc byte[AssociatedDataLength];
        WriteAssociatedData(position, kind, associatedData);
        var payload = new byte[sealedPayload.Length - NonceLength - TagLength];
        return XChaCha20Poly1305.TryOpen(
            key.Bytes, sealedPayload[..NonceLength], sealedPayload[NonceLength..], associatedData, payload)
            ? payload
            : null;
    }

    public void Dispose() => key.Dispose();

    private void WriteAssociatedData(long position, EventKind kind, Span<byte> destination)
    {
        network.CopyTo(destination);
        BinaryPrimitives.WriteInt64BigEndian(destination[NetworkId.Length..], position);
        BinaryPrimitives.WriteUInt16BigEndian(destination[(NetworkId.Length + 8)..], (ushort)kind);
    }
}
