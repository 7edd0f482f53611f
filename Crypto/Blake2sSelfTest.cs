namespace Mesh.Crypto;

/// <summary>What the vectors' BLAKE2s has to show at a process's start before it is used: RFC 7693's example, and libcrypto's answers.</summary>
internal static class Blake2sSelfTest
{
    public static bool Passes()
    {
        Span<byte> input = stackalloc byte[260];
        Span<byte> ours = stackalloc byte[Blake2s.HashLength];
        Span<byte> theirs = stackalloc byte[Blake2s.HashLength];
        Span<byte> ourKeys = stackalloc byte[3 * Blake2s.HashLength];
        Span<byte> theirKeys = stackalloc byte[3 * Blake2s.HashLength];
        for (int i = 0; i < input.Length; i++) input[i] = (byte)(i * 7 + 1);
        Blake2s.VectorHash("abc"u8, default, default, ours);
        if (!ours.SequenceEqual(Rfc7693)) return false;
        foreach (int length in (ReadOnlySpan<int>)[0, 1, 32, 63, 64, 65, 116, 127, 128, 129, 260])
        {
            ReadOnlySpan<byte> part = input[..length];
            Blake2s.VectorHash(part, default, default, ours);
            LibraryBlake2s.Hash(part, default, default, theirs);
            if (!ours.SequenceEqual(theirs)) return false;
            Blake2s.VectorMac(input[..32], part, ours[..Blake2s.MacLength]);
            LibraryBlake2s.Mac(input[..32], part, theirs[..Blake2s.MacLength]);
            if (!ours.SequenceEqual(theirs)) return false;
            Blake2s.VectorHmac(input[..32], part, default, ours);
            LibraryBlake2s.Hmac(input[..32], part, default, theirs);
            if (!ours.SequenceEqual(theirs)) return false;
            Blake2s.VectorKdf(input[..32], part, ourKeys[..32], ourKeys[32..64], ourKeys[64..]);
            LibraryBlake2s.Kdf(input[..32], part, theirKeys[..32], theirKeys[32..64], theirKeys[64..]);
            if (!ourKeys.SequenceEqual(theirKeys)) return false;
        }
        return true;
    }

    /// <summary>Appendix B.</summary>
    private static ReadOnlySpan<byte> Rfc7693 =>
    [
        0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b, 0xa3, 0x4e, 0xeb, 0x45, 0x2f,
        0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6, 0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
    ];
}
