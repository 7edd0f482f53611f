using System.Text.Json;

namespace Mesh.Crypto.Tests;

/// <summary>The vectors of C2SP/wycheproof (testvectors_v1), from the shared test data.</summary>
public sealed class WycheproofTests
{
    private delegate void Sealer(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext,
        ReadOnlySpan<byte> associatedData, Span<byte> destination);

    private delegate bool Opener(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> ciphertextAndTag,
        ReadOnlySpan<byte> associatedData, Span<byte> plaintext);

    [Fact]
    public void X25519_agrees_and_refuses_every_shared_secret_of_zeroes()
    {
        using var file = SharedVectors.Open("x25519_test.json");
        int agreed = 0, refused = 0;
        foreach (var test in Tests(file))
        {
            byte[] expected = test.Hex("shared");
            byte[] shared = [.. Enumerable.Repeat((byte)0xff, SecretKey.Length)];
            bool zero = expected.All(b => b == 0);
            bool ok = X25519Tests.Agree(test.Hex("private"), test.Hex("public"), shared);
            Assert.True(ok == !zero && shared.SequenceEqual(expected), $"case {test.GetProperty("tcId")}");
            if (ok) agreed++;
            else refused++;
        }
        Assert.True(agreed >= 487 && refused >= 31, $"{agreed} agreed, {refused} refused");
    }

    [Fact]
    public void ChaCha20Poly1305_seals_opens_and_refuses_as_listed() =>
        Run("chacha20_poly1305_test.json", ChaCha20Poly1305.NonceLength, ChaCha20Poly1305.Seal, ChaCha20Poly1305.TryOpen, 256, 69);

    /// <summary>The kernels, which know of nonces and associated data what <see cref="TransportAead"/> has no use for.</summary>
    [Fact]
    public void Vector_kernels_seal_open_and_refuse_as_listed()
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.Avx2.IsSupported, "this processor has no AVX2");
        Run("chacha20_poly1305_test.json", ChaCha20Poly1305.NonceLength, KernelAead.Seal256, KernelAead.TryOpen256, 256, 69);
        Run("chacha20_poly1305_test.json", ChaCha20Poly1305.NonceLength, KernelAead.Seal512, KernelAead.TryOpen512, 256, 69);
    }

    /// <summary>Keys and texts as listed, and of the nonces the last 64 bits; the library's answers are the measure.</summary>
    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void The_transport_cipher_agrees_with_the_library_on_what_is_listed(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        using var file = SharedVectors.Open("chacha20_poly1305_test.json");
        int compared = 0;
        foreach (var test in Tests(file))
        {
            string label = $"case {test.GetProperty("tcId")}";
            byte[] key = test.Hex("key"), nonce = test.Hex("iv"), message = test.Hex("msg"), expected = new byte[message.Length + 16];
            if (nonce.Length != ChaCha20Poly1305.NonceLength) continue;
            ulong counter = BitConverter.ToUInt64(nonce, 4);
            ChaCha20Poly1305.Seal(key, counter, message, default, expected);
            Assert.True(AeadModes.Seal(mode, key, counter, message).SequenceEqual(expected), label);
            Assert.True(AeadModes.Open(mode, key, counter, expected)!.SequenceEqual(message), label);
            compared++;
        }
        Assert.True(compared >= 300, $"{compared} compared");
    }

    [Fact]
    public void XChaCha20Poly1305_seals_opens_and_refuses_as_listed() =>
        Run("xchacha20_poly1305_test.json", XChaCha20Poly1305.NonceLength, XChaCha20Poly1305.Seal, XChaCha20Poly1305.TryOpen, 246, 69);

    private static void Run(string name, int nonceLength, Sealer seal, Opener open, int atLeastValid, int atLeastInvalid)
    {
        using var file = SharedVectors.Open(name);
        int valid = 0, invalid = 0;
        foreach (var test in Tests(file))
        {
            string label = $"case {test.GetProperty("tcId")}";
            byte[] key = test.Hex("key"), nonce = test.Hex("iv"), message = test.Hex("msg"), data = test.Hex("aad");
            byte[] expected = [.. test.Hex("ct"), .. test.Hex("tag")];
            byte[] opened = new byte[Math.Max(0, expected.Length - 16)];
            if (test.GetProperty("result").GetString() == "valid")
            {
                valid++;
                byte[] sealedText = new byte[message.Length + 16];
                seal(key, nonce, message, data, sealedText);
                Assert.True(sealedText.SequenceEqual(expected), label);
                Assert.True(open(key, nonce, expected, data, opened) && opened.SequenceEqual(message), label);
                continue;
            }
            invalid++;
            if (nonce.Length != nonceLength)
            {
                Assert.Throws<ArgumentException>(() => seal(key, nonce, message, data, new byte[message.Length + 16]));
                Assert.Throws<ArgumentException>(() => open(key, nonce, expected, data, opened));
                continue;
            }
            opened.AsSpan().Fill(0xff);
            Assert.False(open(key, nonce, expected, data, opened), label);
            Assert.True(opened.All(b => b == 0), label);
        }
        Assert.True(valid >= atLeastValid && invalid >= atLeastInvalid, $"{valid} valid, {invalid} invalid");
    }

    private static IEnumerable<JsonElement> Tests(JsonDocument file) =>
        from testGroup in file.RootElement.GetProperty("testGroups").EnumerateArray()
        from test in testGroup.GetProperty("tests").EnumerateArray()
        select test;
}
