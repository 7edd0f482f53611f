using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using BenchmarkDotNet.Attributes;
using Mesh.Crypto;

namespace Mesh.Micro;

/// <summary>
/// The transport cipher by the library and by the widest vectors that this processor has, sealing and opening batches in place: lone packets, an
/// interactive handful, and the segments of a superpacket. The base class library's cipher is the yardstick. A time is that of the
/// whole batch.
/// </summary>
[MemoryDiagnoser]
public unsafe class AeadBenchmarks
{
    private const int Room = 1536;
    private static readonly AeadImplementation Widest =
        Vector512.IsHardwareAccelerated ? AeadImplementation.Vector512 : AeadImplementation.Vector256;

    private readonly byte[] _key = new byte[TransportAead.KeyLength];
    private readonly byte[] _nonce = new byte[12];
    private AeadPacket[] _packets = [];
    private AeadPacket[] _sealed = [];
    private byte* _memory;
    private byte* _sealedMemory;
    private byte* _opened;
    private System.Security.Cryptography.ChaCha20Poly1305? _other;

    [ParamsSource(nameof(Batches))]
    public string Batch { get; set; } = "";

    public static IEnumerable<string> Batches => ["1 x 64", "1 x 96", "1 x 256", "1 x 1420", "16 x 64", "45 x 1420"];

    [GlobalSetup]
    public void Setup()
    {
        if (!Avx2.IsSupported) throw new PlatformNotSupportedException("this processor has no AVX2: there is only the library to measure");
        int[] numbers = [.. Batch.Split(" x ").Select(int.Parse)];
        (int count, int length) = (numbers[0], numbers[1]);
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(count * Room), 64);
        _sealedMemory = (byte*)NativeMemory.AlignedAlloc((nuint)(count * Room), 64);
        _opened = (byte*)NativeMemory.AlignedAlloc((nuint)(count * Room), 64);
        _packets = new AeadPacket[count];
        _sealed = new AeadPacket[count];
        for (int i = 0; i < count; i++)
        {
            _packets[i] = new AeadPacket(_memory + i * Room, length, 0);
            _sealed[i] = new AeadPacket(_sealedMemory + i * Room, length, 0);
        }
        TransportAead.Seal(_key, _sealed);
        // From one place to another, or the second opening would find the first one's plaintext.
        for (int i = 0; i < count; i++)
            _sealed[i] = new AeadPacket(_sealedMemory + i * Room, _opened + i * Room, length + TransportAead.TagLength, 0);
        _other = new System.Security.Cryptography.ChaCha20Poly1305(_key);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        NativeMemory.AlignedFree(_memory);
        NativeMemory.AlignedFree(_sealedMemory);
        NativeMemory.AlignedFree(_opened);
        _other?.Dispose();
    }

    [BenchmarkCategory("Seal"), Benchmark(Baseline = true, Description = "seal, base class library")]
    public void OtherSeal()
    {
        foreach (AeadPacket packet in _packets)
        {
            var text = new Span<byte>(packet.Source, packet.Length);
            _other!.Encrypt(_nonce, text, text, new Span<byte>(packet.Source + packet.Length, TransportAead.TagLength));
        }
    }

    [BenchmarkCategory("Seal"), Benchmark(Description = "seal, library")]
    public void LibrarySeal() => TransportAead.Seal(AeadImplementation.Library, _key, _packets);

    [BenchmarkCategory("Seal"), Benchmark(Description = "seal, vectors")]
    public void VectorSeal() => TransportAead.Seal(Widest, _key, _packets);

    [BenchmarkCategory("Open"), Benchmark(Baseline = true, Description = "open, base class library")]
    public void OtherOpen()
    {
        foreach (AeadPacket packet in _sealed)
        {
            int length = packet.Length - TransportAead.TagLength;
            _other!.Decrypt(_nonce, new Span<byte>(packet.Source, length),
                new Span<byte>(packet.Source + length, TransportAead.TagLength), new Span<byte>(packet.Destination, length));
        }
    }

    [BenchmarkCategory("Open"), Benchmark(Description = "open, library")]
    public int LibraryOpen() => TransportAead.Open(AeadImplementation.Library, _key, _sealed);

    [BenchmarkCategory("Open"), Benchmark(Description = "open, vectors")]
    public int VectorOpen() => TransportAead.Open(Widest, _key, _sealed);
}
