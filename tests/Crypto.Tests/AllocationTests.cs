using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

/// <summary>The packet path's primitives allocate nothing once a thread is warm.</summary>
public sealed class AllocationTests
{
    [Fact]
    public void Warm_primitives_allocate_nothing()
    {
        byte[] key = Counting(32), nonce = Counting(24), packet = new byte[1420 + 16], hash = new byte[32], other = new byte[32];
        var window = new ReplayWindow();
        using var local = X25519PrivateKey.Generate();
        var peer = local.PublicKey;
        var mac1 = new Mac1Key(peer);
        ulong counter = 0;

        AssertNoAllocation("Seal", () => ChaCha20Poly1305.Seal(key, counter, packet.AsSpan(0, 1420), default, packet));
        AssertNoAllocation("Seal and TryOpen", () =>
        {
            ChaCha20Poly1305.Seal(key, ++counter, packet.AsSpan(0, 1420), hash, packet);
            Assert.True(ChaCha20Poly1305.TryOpen(key, counter, packet, hash, packet.AsSpan(0, 1420)));
        });
        AssertNoAllocation("a forged TryOpen", () => ChaCha20Poly1305.TryOpen(key, 0, packet, default, packet.AsSpan(0, 1420)));
        AssertTransportAeadAllocatesNothing();
        AssertNoAllocation("XChaCha", () =>
        {
            XChaCha20Poly1305.Seal(key, nonce, packet.AsSpan(0, 16), hash, packet.AsSpan(0, 32));
            Assert.True(XChaCha20Poly1305.TryOpen(key, nonce, packet.AsSpan(0, 32), hash, packet.AsSpan(0, 16)));
        });
        AssertNoAllocation("Hash", () => Blake2s.Hash(key, packet, hash));
        AssertNoAllocation("Mac", () => Blake2s.Mac(key, packet, hash.AsSpan(0, 16)));
        AssertNoAllocation("Hmac", () => Blake2s.Hmac(key, packet, key, hash));
        AssertNoAllocation("Kdf", () => Blake2s.Kdf(key, hash, hash, other));
        AssertNoAllocation("Mac1", () => mac1.Verify(packet, hash.AsSpan(0, 16)));
        AssertNoAllocation("TryAgree", () => local.TryAgree(peer, hash));
        AssertNoAllocation("ReplayWindow", () => window.TryAccept(++counter));
        AssertNoAllocation("Tai64N", () => Tai64N.From(DateTimeOffset.UnixEpoch).Write(other));
    }

    private static unsafe void AssertTransportAeadAllocatesNothing()
    {
        const int Count = 20;
        byte[] key = Counting(32), memory = GC.AllocateArray<byte>(Count * 1536, pinned: true);
        var packets = new AeadPacket[Count];
        byte* m = (byte*)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        foreach (AeadImplementation mode in Enum.GetValues<AeadImplementation>())
        {
            if (mode != AeadImplementation.Library && !System.Runtime.Intrinsics.X86.Avx2.IsSupported) continue;
            AssertNoAllocation($"TransportAead, {mode}", () =>
            {
                for (int i = 0; i < Count; i++) packets[i] = new(m + i * 1536, i * 75, (ulong)i);
                TransportAead.Seal(mode, key, packets);
                for (int i = 0; i < Count; i++) packets[i].Length += 16;
                packets[3].Source[0] ^= 1;
                if (TransportAead.Open(mode, key, packets) != Count - 1) throw new InvalidOperationException("not authentic");
            });
        }
    }

    private static void AssertNoAllocation(string what, Action action)
    {
        for (int i = 0; i < 20; i++) action();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) action();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated == 0, $"{what}: {allocated} bytes in 100 calls");
    }
}
