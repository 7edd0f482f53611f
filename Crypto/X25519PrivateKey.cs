using System.Security.Cryptography;
using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>An X25519 private key (RFC 7748), clamped.</summary>
public sealed unsafe class X25519PrivateKey : SecretKey
{
    /// <summary>Null where libsodium computes, which needs the scalar alone.</summary>
    private readonly LibCryptoX25519? _libCrypto;

    public X25519PrivateKey(ReadOnlySpan<byte> bytes) : this(bytes, X25519Library.IsLibCrypto)
    {
    }

    internal X25519PrivateKey(ReadOnlySpan<byte> bytes, bool libCrypto) : base(bytes)
    {
        Span<byte> scalar = Writable;
        scalar[0] &= 248;
        scalar[31] = (byte)((scalar[31] & 127) | 64);
        if (libCrypto)
        {
            _libCrypto = new LibCryptoX25519(scalar);
            PublicKey = _libCrypto.PublicKey;
            return;
        }
        Span<byte> point = stackalloc byte[X25519PublicKey.Length];
        fixed (byte* p = point, s = scalar) LibSodium.ScalarMultBase(p, s);
        PublicKey = new X25519PublicKey(point);
    }

    public X25519PublicKey PublicKey { get; }

    public static X25519PrivateKey Generate()
    {
        Span<byte> bytes = stackalloc byte[Length];
        RandomNumberGenerator.Fill(bytes);
        var key = new X25519PrivateKey(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }

    /// <summary>The shared secret, 32 bytes, which the caller zeroes.</summary>
    /// <returns>False, and zeroes, when it is all zero: the peer's key is of low order (RFC 7748 section 6.1).</returns>
    public bool TryAgree(in X25519PublicKey peer, Span<byte> shared)
    {
        if (shared.Length != Length) throw new ArgumentException($"a shared secret has {Length} bytes", nameof(shared));
        bool agreed;
        fixed (byte* o = shared, s = Bytes, p = peer.AsSpan())
            agreed = _libCrypto?.TryAgree(peer, shared) ?? LibSodium.ScalarMult(o, s, p) == 0;
        if (!agreed) shared.Clear();
        return agreed;
    }

    public override void Dispose()
    {
        base.Dispose();
        _libCrypto?.Dispose();
    }
}
