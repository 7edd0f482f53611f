using System.Runtime.InteropServices;
using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>
/// A private key as libcrypto holds it. Threads may agree with it at once. libcrypto zeroes it when it has been disposed of and the
/// last call on it has ended.
/// </summary>
internal sealed unsafe class LibCryptoX25519 : SafeHandle
{
    [ThreadStatic]
    private static PeerKey? PeerOfThisThread;

    /// <summary>EVP_PKEY_CTX, set up for this key, while no thread uses it: it costs a twentieth of an agreement.</summary>
    private nint _idle;

    /// <param name="scalar">32 bytes.</param>
    public LibCryptoX25519(ReadOnlySpan<byte> scalar) : base(0, ownsHandle: true)
    {
        fixed (byte* s = scalar) handle = LibCrypto.EVP_PKEY_new_raw_private_key(LibCrypto.X25519, 0, s, (nuint)scalar.Length);
        Require(!IsInvalid);
        _idle = NewContext();
    }

    public override bool IsInvalid => handle == 0;

    public X25519PublicKey PublicKey
    {
        get
        {
            byte* point = stackalloc byte[X25519PublicKey.Length];
            nuint length = X25519PublicKey.Length;
            Require(LibCrypto.EVP_PKEY_get_raw_public_key(handle, point, &length) == 1);
            return new X25519PublicKey(new ReadOnlySpan<byte>(point, X25519PublicKey.Length));
        }
    }

    /// <param name="shared">32 bytes.</param>
    /// <returns>False when the shared secret is all zero; <paramref name="shared"/> is of no use then.</returns>
    /// <exception cref="ObjectDisposedException">The key is no more. While another thread still agrees with it, it is.</exception>
    public bool TryAgree(in X25519PublicKey peer, Span<byte> shared)
    {
        nint peerKey = (PeerOfThisThread ??= new PeerKey()).Set(peer);
        bool held = false;
        nint context = 0;
        try
        {
            DangerousAddRef(ref held);
            context = Interlocked.Exchange(ref _idle, 0);
            if (context == 0) context = NewContext();
            Require(LibCrypto.EVP_PKEY_derive_set_peer_ex(context, peerKey, validate: 0) == 1);
            nuint length = (nuint)shared.Length;
            bool agreed;
            fixed (byte* s = shared) agreed = LibCrypto.EVP_PKEY_derive(context, s, &length) == 1;
            if (!agreed) LibCrypto.ERR_clear_error();
            return agreed;
        }
        finally
        {
            if (context != 0) context = Interlocked.Exchange(ref _idle, context);
            if (context != 0) LibCrypto.EVP_PKEY_CTX_free(context);
            if (held) DangerousRelease();
        }
    }

    protected override bool ReleaseHandle()
    {
        LibCrypto.EVP_PKEY_CTX_free(_idle);
        LibCrypto.EVP_PKEY_free(handle);
        return true;
    }

    private nint NewContext()
    {
        nint context = LibCrypto.EVP_PKEY_CTX_new(handle, 0);
        Require(context != 0 && LibCrypto.EVP_PKEY_derive_init(context) == 1);
        return context;
    }

    private static void Require(bool done)
    {
        if (!done) throw new CryptoUnavailableException("the system's libcrypto has no X25519");
    }

    /// <summary>The other side's key, written into the same object each time: making one costs a tenth of an agreement.</summary>
    private sealed class PeerKey
    {
        private readonly nint _key;

        public PeerKey()
        {
            byte* any = stackalloc byte[X25519PublicKey.Length];
            _key = LibCrypto.EVP_PKEY_new_raw_public_key(LibCrypto.X25519, 0, any, X25519PublicKey.Length);
            Require(_key != 0);
        }

        public nint Set(in X25519PublicKey point)
        {
            fixed (byte* p = point.AsSpan()) Require(LibCrypto.EVP_PKEY_set1_encoded_public_key(_key, p, X25519PublicKey.Length) == 1);
            return _key;
        }

        ~PeerKey() => LibCrypto.EVP_PKEY_free(_key);
    }
}
