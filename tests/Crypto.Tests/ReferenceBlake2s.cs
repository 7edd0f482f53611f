using System.Buffers.Binary;
using System.Numerics;

namespace Mesh.Crypto.Tests;

/// <summary>
/// BLAKE2s as RFC 7693 writes it down, for any key and any digest length: slow, and the model that the library's answers are
/// held against. Its own check is the self-test of appendix E.
/// </summary>
internal static class ReferenceBlake2s
{
    private static readonly uint[] Iv =
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

    private static readonly string[] Sigma =
    [
        "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8", "905724afe1bc683d",
        "2c6a0b834d75fe19", "c51fed4a0763928b", "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0",
    ];

    public static byte[] Hash(ReadOnlySpan<byte> key, ReadOnlySpan<byte> input, int length)
    {
        uint[] state = [.. Iv];
        state[0] ^= 0x01010000u ^ ((uint)key.Length << 8) ^ (uint)length;
        byte[] padded = new byte[64];
        key.CopyTo(padded);
        byte[] all = key.IsEmpty ? input.ToArray() : [.. padded, .. input];
        int blocks = Math.Max(1, (all.Length + 63) / 64);
        for (int i = 0; i < blocks; i++)
        {
            byte[] block = new byte[64];
            all.AsSpan(i * 64, Math.Min(64, all.Length - i * 64)).CopyTo(block);
            Compress(state, block, (uint)Math.Min(all.Length, (i + 1) * 64), last: i == blocks - 1);
        }
        byte[] digest = new byte[32];
        for (int i = 0; i < 8; i++) BinaryPrimitives.WriteUInt32LittleEndian(digest.AsSpan(4 * i), state[i]);
        return digest[..length];
    }

    private static void Compress(uint[] state, byte[] block, uint counted, bool last)
    {
        uint[] v = [.. state, .. Iv];
        v[12] ^= counted;
        if (last) v[14] = ~v[14];
        for (int round = 0; round < 10; round++)
        {
            for (int i = 0; i < 8; i++)
            {
                // Four columns, then four diagonals.
                int shift = i / 4;
                int a = i % 4, b = 4 + (i + shift) % 4, c = 8 + (i + 2 * shift) % 4, d = 12 + (i + 3 * shift) % 4;
                v[a] += v[b] + Word(2 * i);
                v[d] = BitOperations.RotateRight(v[d] ^ v[a], 16);
                v[c] += v[d];
                v[b] = BitOperations.RotateRight(v[b] ^ v[c], 12);
                v[a] += v[b] + Word(2 * i + 1);
                v[d] = BitOperations.RotateRight(v[d] ^ v[a], 8);
                v[c] += v[d];
                v[b] = BitOperations.RotateRight(v[b] ^ v[c], 7);
            }
            uint Word(int i) => BinaryPrimitives.ReadUInt32LittleEndian(block.AsSpan(4 * Convert.ToInt32(Sigma[round][i].ToString(), 16)));
        }
        for (int i = 0; i < 8; i++) state[i] ^= v[i] ^ v[i + 8];
    }
}
