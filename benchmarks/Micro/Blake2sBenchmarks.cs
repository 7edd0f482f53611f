using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Mesh.Crypto;

namespace Mesh.Micro;

/// <summary>What a handshake hashes: 64 bytes, a mac over a message, a KDF step. SHA-256 of the base class library is the yardstick.</summary>
[MemoryDiagnoser]
public class Blake2sBenchmarks
{
    private readonly byte[] _key = new byte[Blake2s.HashLength];
    private readonly byte[] _input = new byte[64];
    private readonly byte[] _message = new byte[116];
    private readonly byte[] _hash = new byte[Blake2s.HashLength];
    private readonly byte[] _second = new byte[Blake2s.HashLength];
    private readonly byte[] _mac = new byte[Blake2s.MacLength];

    [Benchmark(Baseline = true, Description = "SHA-256 of 64 bytes")]
    public int Sha256() => SHA256.HashData(_input, _hash);

    [Benchmark(Description = "BLAKE2s hash of 64 bytes")]
    public void Hash() => Blake2s.Hash(_input, default, _hash);

    [Benchmark(Description = "BLAKE2s mac of 116 bytes (mac1)")]
    public void Mac() => Blake2s.Mac(_key, _message, _mac);

    [Benchmark(Description = "HMAC-BLAKE2s of 32 bytes")]
    public void Hmac() => Blake2s.Hmac(_key, _key, default, _hash);

    [Benchmark(Description = "Kdf2 of 32 bytes")]
    public void Kdf2() => Blake2s.Kdf(_key, _key, _hash, _second);
}
