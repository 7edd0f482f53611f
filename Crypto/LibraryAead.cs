using System.Security.Cryptography;
using Mesh.Crypto.Native;

namespace Mesh.Crypto;

/// <summary><see cref="TransportAead"/> over libcrypto, packet by packet.</summary>
internal static unsafe class LibraryAead
{
    private const int TagLength = TransportAead.TagLength;

    public static void Seal(ReadOnlySpan<byte> key, ReadOnlySpan<AeadPacket> packets)
    {
        nint context = CipherContexts.OfThisThread.Seal;
        // The nonce's 32 bits of zero, and room for the counter.
        byte* nonce = stackalloc byte[12];
        *(uint*)nonce = 0;
        int written;
        int ok = 1;
        fixed (byte* k = key)
        {
            byte* newKey = k;
            foreach (ref readonly AeadPacket packet in packets)
            {
                *(ulong*)(nonce + 4) = packet.Counter;
                byte* tag = packet.Destination + packet.Length;
                ok &= LibCrypto.EVP_EncryptInit_ex(context, 0, 0, newKey, nonce);
                newKey = null; // the context keeps it
                if (packet.Length > 0)
                    ok &= LibCrypto.EVP_EncryptUpdate(context, packet.Destination, &written, packet.Source, packet.Length);
                ok &= LibCrypto.EVP_EncryptFinal_ex(context, tag, &written);
                ok &= LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.ControlGetTag, TagLength, tag);
            }
        }
        if (ok != 1) throw new CryptographicException("libcrypto refused to seal");
    }

    public static int Open(ReadOnlySpan<byte> key, Span<AeadPacket> packets)
    {
        nint context = CipherContexts.OfThisThread.Open;
        byte* nonce = stackalloc byte[12];
        *(uint*)nonce = 0;
        byte none;
        int written;
        int authentic = 0;
        fixed (byte* k = key)
        {
            byte* newKey = k;
            foreach (ref AeadPacket packet in packets)
            {
                int length = packet.Length - TagLength;
                packet.IsAuthentic = false;
                if (length < 0) continue;
                *(ulong*)(nonce + 4) = packet.Counter;
                int ok = LibCrypto.EVP_DecryptInit_ex(context, 0, 0, newKey, nonce);
                newKey = null; // the context keeps it
                if (length > 0)
                    ok &= LibCrypto.EVP_DecryptUpdate(context, packet.Destination, &written, packet.Source, length);
                ok &= LibCrypto.EVP_CIPHER_CTX_ctrl(context, LibCrypto.ControlSetTag, TagLength, packet.Source + length);
                if (ok != 1) throw new CryptographicException("libcrypto refused to open");
                packet.IsAuthentic = LibCrypto.EVP_DecryptFinal_ex(context, &none, &written) == 1;
                if (packet.IsAuthentic) authentic++;
                else CryptographicOperations.ZeroMemory(new Span<byte>(packet.Destination, length));
            }
        }
        return authentic;
    }
}
