using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>
/// A thread's contexts of libcrypto's ChaCha20-Poly1305, made on its first use of them. One for each direction: switching one
/// between them would make libcrypto set it up anew. Each keeps a copy of the last key used until the next call on its
/// thread, or the thread's end.
/// </summary>
internal sealed unsafe class CipherContexts
{
    [ThreadStatic]
    private static CipherContexts? PerThread;

    public readonly nint Seal = LibCrypto.EVP_CIPHER_CTX_new();
    public readonly nint Open = LibCrypto.EVP_CIPHER_CTX_new();

    private CipherContexts()
    {
        nint cipher = LibCrypto.EVP_chacha20_poly1305();
        if (Seal == 0 || Open == 0 || LibCrypto.EVP_EncryptInit_ex(Seal, cipher, 0, null, null) != 1
            || LibCrypto.EVP_DecryptInit_ex(Open, cipher, 0, null, null) != 1)
            throw new CryptoUnavailableException("the system's libcrypto has no ChaCha20-Poly1305");
    }

    public static CipherContexts OfThisThread => PerThread ??= new CipherContexts();

    ~CipherContexts()
    {
        LibCrypto.EVP_CIPHER_CTX_free(Seal);
        LibCrypto.EVP_CIPHER_CTX_free(Open);
    }
}
