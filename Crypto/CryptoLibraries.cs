using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary>The system's libraries that everything here stands on.</summary>
public static class CryptoLibraries
{
    /// <summary>
    /// Calls each library once, so that a daemon learns at its start, and not in its first handshake, that one is missing.
    /// </summary>
    /// <exception cref="CryptoUnavailableException">Says which library and what to install.</exception>
    public static void Require()
    {
        Try(LibCrypto.Library, "OpenSSL 3 (Debian: libssl3)", static () =>
        {
            LibraryBlake2s.Mac(new byte[Blake2s.HashLength], default, new byte[Blake2s.MacLength]);
            LibraryBlake2s.Hash(default, default, default, new byte[Blake2s.HashLength]);
            ChaCha20Poly1305.Seal(new byte[ChaCha20Poly1305.KeyLength], 0, default, default, new byte[ChaCha20Poly1305.TagLength]);
            new LibCryptoX25519(new byte[SecretKey.Length]).Dispose();
        });
        Try(LibSodium.Library, "libsodium (Debian: libsodium23)", static () => X25519PrivateKey.Generate().Dispose());
    }

    internal static void Try(string library, string package, Action call)
    {
        try
        {
            call();
        }
        catch (Exception e) when (Cause(e) is CryptoUnavailableException)
        {
            throw new CryptoUnavailableException($"{Cause(e).Message}; install {package}", e);
        }
        catch (Exception e) when (Cause(e) is DllNotFoundException or EntryPointNotFoundException)
        {
            throw new CryptoUnavailableException($"{library} is missing or too old: install {package}", e);
        }
    }

    /// <summary>What goes wrong inside a static constructor arrives wrapped, by each that called the next.</summary>
    private static Exception Cause(Exception e) => e is TypeInitializationException { InnerException: { } inner } ? Cause(inner) : e;
}
