using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto.Tests;

/// <summary>
/// Every implementation of the transport cipher. The one for AVX-512 runs here on any machine with AVX2: without the real
/// instructions it computes the same in halves.
/// </summary>
internal static class AeadModes
{
    public static TheoryData<AeadImplementation> All =>
        [AeadImplementation.Library, AeadImplementation.Vector256, AeadImplementation.Vector512];

    public static TheoryData<AeadImplementation> Vectors => [AeadImplementation.Vector256, AeadImplementation.Vector512];

    public static void Need(AeadImplementation implementation) =>
        Assert.SkipUnless(implementation == AeadImplementation.Library || Avx2.IsSupported, "this processor has no AVX2");

    /// <summary>A batch of one, over managed memory.</summary>
    public static unsafe byte[] Seal(AeadImplementation implementation, byte[] key, ulong counter, byte[] plaintext)
    {
        byte[] memory = [.. plaintext, .. new byte[16]];
        fixed (byte* m = memory) TransportAead.Seal(implementation, key, [new AeadPacket(m, plaintext.Length, counter)]);
        return memory;
    }

    /// <returns>Null when it is not authentic, and then it is checked that only zeroes came out.</returns>
    public static unsafe byte[]? Open(AeadImplementation implementation, byte[] key, ulong counter, byte[] sealedText)
    {
        byte[] opened = [.. Enumerable.Repeat((byte)0xff, Math.Max(0, sealedText.Length - 16))];
        AeadPacket[] packets = new AeadPacket[1];
        fixed (byte* s = sealedText)
        fixed (byte* o = opened)
        {
            packets[0] = new AeadPacket(s, o, sealedText.Length, counter);
            int authentic = TransportAead.Open(implementation, key, packets);
            Assert.Equal(packets[0].IsAuthentic ? 1 : 0, authentic);
        }
        if (packets[0].IsAuthentic) return opened;
        Assert.All(opened, b => Assert.Equal(0, b));
        return null;
    }
}

/// <summary>Native memory between two pages that must not be touched: who reads or writes beyond it ends the process.</summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int Page = 4096;
    private const int ProtectionNone = 0;
    private const int ReadWrite = 3;
    private const int PrivateAnonymous = 0x22;

    private readonly byte* _mapping;
    private readonly nuint _mapped;

    public GuardedMemory(int pages)
    {
        _mapped = (nuint)((pages + 2) * Page);
        _mapping = mmap(null, _mapped, ProtectionNone, PrivateAnonymous, -1, 0);
        Assert.True(_mapping != (byte*)-1 && mprotect(_mapping + Page, (nuint)(pages * Page), ReadWrite) == 0);
        First = _mapping + Page;
        End = First + pages * Page;
    }

    public byte* First { get; }

    /// <summary>One past the last byte.</summary>
    public byte* End { get; }

    public void Dispose() => _ = munmap(_mapping, _mapped);

    [LibraryImport("libc")]
    private static partial byte* mmap(byte* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc")]
    private static partial int mprotect(byte* address, nuint length, int protection);

    [LibraryImport("libc")]
    private static partial int munmap(byte* address, nuint length);
}
