using System.Security.Cryptography;

namespace Mesh.Coordinator.Log;

/// <summary>The two hashes that make the log tamper-evident. Neither needs the data key.</summary>
public static class LogChain
{
    /// <summary>SHA-256(previous ‖ header). The hash before the first event is all zero.</summary>
    public static Bytes32 Next(Bytes32 previous, ReadOnlySpan<byte> header)
    {
        Span<byte> input = stackalloc byte[Bytes32.Length + EventHeader.Length];
        if (header.Length != EventHeader.Length)
            throw new ArgumentException("A header has a fixed length.", nameof(header));
        previous.CopyTo(input);
        header.CopyTo(input[Bytes32.Length..]);
        return Bytes32.Sha256Of(input);
    }

    /// <summary>
    /// SHA-256(salt ‖ sealed payload). The salt keeps a short payload from being guessed from what remains after erasure.
    /// </summary>
    public static Bytes32 Commit(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> sealedPayload)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(salt);
        hash.AppendData(sealedPayload);
        Span<byte> result = stackalloc byte[Bytes32.Length];
        hash.GetHashAndReset(result);
        return new Bytes32(result);
    }
}
