using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;

namespace Mesh.Crypto.Vectors;

/// <summary>HMAC (RFC 2104) with <see cref="Blake2sVectors"/>: a key, set up once for any number of texts.</summary>
internal unsafe struct Blake2sHmac
{
    private Vector256<uint> _low;
    private Vector256<uint> _high;

    /// <param name="key">At most 64 bytes.</param>
    /// <param name="noText">Whether it is for the empty text, and for no other.</param>
    [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Start(ReadOnlySpan<byte> key, bool noText)
    {
        byte* block = stackalloc byte[Blake2sKernel.BlockLength];
        var bytes = new Span<byte>(block, Blake2sKernel.BlockLength);
        key.CopyTo(bytes);
        bytes[key.Length..].Clear();
        Blake2sKernel.CompressKey(out _low, out _high, block, noText);
        CryptographicOperations.ZeroMemory(bytes);
    }

    /// <summary>Of the two parts of a text, one behind the other.</summary>
    /// <param name="hash">32 bytes; may overlap an input.</param>
    [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Compute(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, Span<byte> hash)
    {
        Unsafe.SkipInit(out Blake2sVectors state);
        state.Resume(_low.GetLower(), _high.GetLower(), Blake2sKernel.BlockLength);
        if (!first.IsEmpty || !second.IsEmpty)
        {
            state.Add(first);
            state.Add(second);
            state.Finish();
        }
        state.ResumeOverHash(_low.GetUpper(), _high.GetUpper(), Blake2sKernel.BlockLength);
        state.Finish(hash);
        state.Clear();
    }

    /// <summary>Forgets everything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Clear() => CryptographicOperations.ZeroMemory(MemoryMarshal.AsBytes(new Span<Blake2sHmac>(ref this)));
}
