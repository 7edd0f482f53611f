using BenchmarkDotNet.Attributes;
using Mesh.Crypto;

namespace Mesh.Micro;

/// <summary>
/// Sealing and opening one packet in place, as the packet path does it, beside the base class library's cipher. 64 bytes stand
/// for an acknowledgement or a voice frame, 1420 for a full packet.
/// </summary>
[MemoryDiagnoser]
public class PacketBenchmarks
{
    private readonly byte[] _key = new byte[ChaCha20Poly1305.KeyLength];
    private readonly byte[] _nonce = new byte[ChaCha20Poly1305.NonceLength];
    private byte[] _packet = [];
    private byte[] _sealed = [];
    private byte[] _opened = [];
    private System.Security.Cryptography.ChaCha20Poly1305? _other;
    private ulong _counter;

    [Params(64, 1420)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _packet = new byte[Length + ChaCha20Poly1305.TagLength];
        _sealed = new byte[Length + ChaCha20Poly1305.TagLength];
        _opened = new byte[Length];
        _other = new System.Security.Cryptography.ChaCha20Poly1305(_key);
        ChaCha20Poly1305.Seal(_key, 0, _opened, default, _sealed);
    }

    [GlobalCleanup]
    public void Cleanup() => _other?.Dispose();

    [BenchmarkCategory("Seal"), Benchmark(Baseline = true, Description = "base class library, seal")]
    public void LibrarySeal() =>
        _other!.Encrypt(_nonce, _packet.AsSpan(0, Length), _packet.AsSpan(0, Length), _packet.AsSpan(Length));

    [BenchmarkCategory("Seal"), Benchmark(Description = "Mesh, seal")]
    public void Seal() => ChaCha20Poly1305.Seal(_key, _counter++, _packet.AsSpan(0, Length), default, _packet);

    [BenchmarkCategory("Open"), Benchmark(Baseline = true, Description = "base class library, open")]
    public void LibraryOpen() => _other!.Decrypt(_nonce, _sealed.AsSpan(0, Length), _sealed.AsSpan(Length), _opened);

    [BenchmarkCategory("Open"), Benchmark(Description = "Mesh, open")]
    public bool Open() => ChaCha20Poly1305.TryOpen(_key, 0, _sealed, default, _opened);
}
