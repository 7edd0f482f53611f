using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace Mesh.Crypto.Vectors;

/// <summary>HMAC (RFC 2104) with <see cref="Blake2sVectors"/>: a key, set up once for any number of messages.</summary>
internal struct Blake2sHmac
{
    private const int BlockLength = 64;
    private const byte InnerPad = 0x36;
    private const byte OuterPad = 0x5c;

    private Blake2sVectors _inner;
    private Blake2sVectors _outer;

    /// <param name="key">At most 64 bytes.</param>
    public void Start(ReadOnlySpan<byte> key)
    {
        Span<byte> block = stackalloc byte[BlockLength];
        block.Clear();
        key.CopyTo(block);
        Mix(block, InnerPad);
        _inner.Start(Blake2s.HashLength, keyLength: 0);
        _inner.Add(block);
        Mix(block, InnerPad ^ OuterPad);
        _outer.Start(Blake2s.HashLength, keyLength: 0);
        _outer.Add(block);
        // More always follows here: what the inner hash gave.
        _outer.TakeBlock();
        CryptographicOperations.ZeroMemory(block);
    }

    /// <summary>For several messages, none of which is empty: takes the key's block once and not for each.</summary>
    public void TakeKey() => _inner.TakeBlock();

    /// <param name="hash">32 bytes; may overlap an input.</param>
    public readonly void Compute(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash)
    {
        Span<byte> innerHash = stackalloc byte[Blake2s.HashLength];
        Blake2sVectors state = _inner;
        state.Add(first);
        state.Add(second);
        state.Finish(innerHash);
        state = _outer;
        state.Add(innerHash);
        state.Finish(hash);
        state.Clear();
        CryptographicOperations.ZeroMemory(innerHash);
    }

    /// <summary>Forgets everything.</summary>
    public void Clear() => CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(new Span<Blake2sHmac>(ref this)));

    private static void Mix(Span<byte> block, byte pad)
    {
        Span<Vector128<byte>> vectors = MemoryMarshal.Cast<byte, Vector128<byte>>(block);
        for (int i = 0; i < vectors.Length; i++) vectors[i] ^= Vector128.Create(pad);
    }
}
