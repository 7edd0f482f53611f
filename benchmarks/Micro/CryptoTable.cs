using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using Mesh.Crypto;

namespace Mesh.Micro;

/// <summary>
/// Every mode of the transport cipher beside the base class library's, and BLAKE2s beside libcrypto's, as one table. All columns
/// of a row take turns in samples of some 20 microseconds, and the quickest sample of each counts: ratios hold so even where
/// other work shares the machine.
/// </summary>
internal static unsafe class CryptoTable
{
    private const int Rounds = 3000;
    private const int Room = 1536;
    private static readonly TimeSpan WarmUp = TimeSpan.FromMilliseconds(400);
    private static readonly (int Count, int Length)[] Batches =
        [(1, 64), (1, 96), (1, 256), (1, 1420), (16, 64), (16, 96), (16, 256), (45, 1420)];

    public static void Run()
    {
        Console.WriteLine($"vectors: {TransportAead.Implementation} ({TransportAead.Reason}); nanoseconds a packet, GB/s, times the library's speed");
        foreach (bool sealing in new[] { true, false })
        {
            Console.WriteLine();
            Console.WriteLine($"| {(sealing ? "seal" : "open")} | base class library | library | AVX2 | AVX-512 |");
            Console.WriteLine("| --- | --- | --- | --- | --- |");
            foreach ((int count, int length) in Batches) Row(sealing, count, length);
        }
        Console.WriteLine();
        Console.WriteLine("| BLAKE2s, nanoseconds | library | vectors |");
        Console.WriteLine("| --- | --- | --- |");
        Blake2sRows();
        Console.WriteLine();
        Console.WriteLine("| X25519, nanoseconds | libsodium | libcrypto |");
        Console.WriteLine("| --- | --- | --- |");
        X25519Rows();
    }

    private static void Row(bool sealing, int count, int length)
    {
        byte[] key = new byte[TransportAead.KeyLength], nonce = new byte[12];
        using var other = new System.Security.Cryptography.ChaCha20Poly1305(key);
        byte* source = (byte*)NativeMemory.AlignedAlloc((nuint)(count * Room), 64), opened = (byte*)NativeMemory.AlignedAlloc((nuint)(count * Room), 64);
        var packets = new AeadPacket[count];
        for (int i = 0; i < count; i++) packets[i] = new AeadPacket(source + i * Room, length, 0);
        TransportAead.Seal(key, packets);
        // Opened from one place to another, or the second time would find the first one's plaintext.
        if (!sealing)
            for (int i = 0; i < count; i++) packets[i] = new AeadPacket(source + i * Room, opened + i * Room, length + TransportAead.TagLength, 0);

        var modes = new List<Action> { sealing ? () => OtherSeal(other, nonce, packets) : () => OtherOpen(other, nonce, packets) };
        AddMode(AeadImplementation.Library);
        if (Avx2.IsSupported) AddMode(AeadImplementation.Vector256);
        if (Vector512.IsHardwareAccelerated) AddMode(AeadImplementation.Vector512);

        double[] best = Best(modes, Math.Max(1, 20_000 / (count * 400)));
        var cells = best.Select(time => $"{time / count:F0}, {length * count / time:F2}, {best[1] / time:F2}x").ToList();
        while (cells.Count < 4) cells.Add("-");
        Console.WriteLine($"| {count} x {length} | {string.Join(" | ", cells)} |");
        NativeMemory.AlignedFree(source);
        NativeMemory.AlignedFree(opened);

        void AddMode(AeadImplementation mode) => modes.Add(sealing
            ? () => TransportAead.Seal(mode, key, packets)
            : () => Require(TransportAead.Open(mode, key, packets) == count));
    }

    private static void Blake2sRows()
    {
        byte[] key = new byte[32], block = new byte[64], message = new byte[116], hash = new byte[32], second = new byte[32], mac = new byte[16];
        Print("hash of 64 bytes", () => LibraryBlake2s.Hash(block, default, default, hash), () => Blake2s.Hash(block, default, hash));
        Print("mac1 of 116 bytes", () => LibraryBlake2s.Mac(key, message, mac), () => Blake2s.Mac(key, message, mac));
        Print("HMAC of 32 bytes", () => LibraryBlake2s.Hmac(key, key, default, hash), () => Blake2s.Hmac(key, key, default, hash));
        Print("Kdf2 of 32 bytes", () => LibraryBlake2s.Kdf(key, key, hash, second, default), () => Blake2s.Kdf(key, key, hash, second));

        static void Print(string name, Action library, Action vectors)
        {
            double[] best = Best([library, vectors], 40);
            Console.WriteLine($"| {name} | {best[0]:F0} | {(Blake2s.UsesVectors ? $"{best[1]:F0}, {best[0] / best[1]:F2}x" : "-")} |");
        }
    }

    private static void X25519Rows()
    {
        byte[] scalar = new byte[SecretKey.Length], shared = new byte[SecretKey.Length];
        using var sodium = new X25519PrivateKey(scalar, libCrypto: false);
        using var crypto = new X25519PrivateKey(scalar, libCrypto: true);
        Print("agreement", () => Require(sodium.TryAgree(crypto.PublicKey, shared)), () => Require(crypto.TryAgree(sodium.PublicKey, shared)));
        Print("key pair", () => new X25519PrivateKey(scalar, libCrypto: false).Dispose(), () => new X25519PrivateKey(scalar, libCrypto: true).Dispose());

        static void Print(string name, Action sodium, Action crypto)
        {
            double[] best = Best([sodium, crypto], 1);
            Console.WriteLine($"| {name} | {best[0]:F0} | {best[1]:F0}, {best[0] / best[1]:F2}x |");
        }
    }

    private static double[] Best(List<Action> actions, int repeats)
    {
        foreach (Action action in actions)
            for (long began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < WarmUp;) action();
        double[] best = new double[actions.Count];
        Array.Fill(best, double.MaxValue);
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < actions.Count; i++)
            {
                long began = Stopwatch.GetTimestamp();
                for (int j = 0; j < repeats; j++) actions[i]();
                best[i] = Math.Min(best[i], Stopwatch.GetElapsedTime(began).TotalNanoseconds / repeats);
            }
        }
        return best;
    }

    private static void OtherSeal(System.Security.Cryptography.ChaCha20Poly1305 cipher, byte[] nonce, AeadPacket[] packets)
    {
        foreach (AeadPacket packet in packets)
        {
            var text = new Span<byte>(packet.Source, packet.Length);
            cipher.Encrypt(nonce, text, text, new Span<byte>(packet.Source + packet.Length, TransportAead.TagLength));
        }
    }

    private static void OtherOpen(System.Security.Cryptography.ChaCha20Poly1305 cipher, byte[] nonce, AeadPacket[] packets)
    {
        foreach (AeadPacket packet in packets)
        {
            int length = packet.Length - TransportAead.TagLength;
            cipher.Decrypt(nonce, new Span<byte>(packet.Source, length),
                new Span<byte>(packet.Source + length, TransportAead.TagLength), new Span<byte>(packet.Destination, length));
        }
    }

    private static void Require(bool authentic)
    {
        if (!authentic) throw new CryptographicException("a packet that was sealed here is not authentic");
    }
}
