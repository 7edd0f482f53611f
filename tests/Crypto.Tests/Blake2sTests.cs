using System.Text;
using Mesh.Crypto.Vectors;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

/// <summary>Known answers of HMAC and the KDF were computed with Python's hmac and hashlib.blake2s.</summary>
public sealed class Blake2sTests
{
    /// <summary>RFC 7693 appendix B; the empty input from hashlib.</summary>
    [Theory]
    [InlineData("abc", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982")]
    [InlineData("", "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9")]
    public void Hashes_as_Rfc7693(string text, string expected)
    {
        byte[] hash = new byte[32];
        for (int split = 0; split <= text.Length; split++)
        {
            Blake2s.Hash(Encoding.ASCII.GetBytes(text[..split]), Encoding.ASCII.GetBytes(text[split..]), hash);
            AssertHex(expected, hash);
        }
    }

    /// <summary>The whole self-test of RFC 7693 appendix E. It vouches for the model that the next tests lean on.</summary>
    [Fact]
    public void The_reference_passes_the_self_test_of_Rfc7693_appendix_E()
    {
        var all = new List<byte>();
        foreach (int outLength in new[] { 16, 20, 28, 32 })
        {
            foreach (int inLength in SelfTestLengths)
            {
                byte[] input = SelfTestSequence(inLength, (uint)inLength);
                all.AddRange(ReferenceBlake2s.Hash(default, input, outLength));
                all.AddRange(ReferenceBlake2s.Hash(SelfTestSequence(outLength, (uint)outLength), input, outLength));
            }
        }
        AssertHex("6a411f08ce25adcdfb02aba641451cec53c598b24f4fc787fbdc88797f4c1dfe", ReferenceBlake2s.Hash(default, [.. all], 32));
    }

    /// <summary>The parts of the self-test that have our lengths: 32 bytes without a key, 16 bytes with one.</summary>
    [Fact]
    public void Hash_and_mac_pass_their_part_of_the_self_test()
    {
        var all = new List<byte>();
        byte[] mac = new byte[16], hash = new byte[32], key = SelfTestSequence(16, 16);
        foreach (int length in SelfTestLengths)
        {
            Blake2s.Mac(key, SelfTestSequence(length, (uint)length), mac);
            all.AddRange(mac);
        }
        foreach (int length in SelfTestLengths)
        {
            Blake2s.Hash(SelfTestSequence(length, (uint)length), default, hash);
            all.AddRange(hash);
        }
        Blake2s.Hash(all.ToArray(), default, hash);
        AssertHex("fff6d457e60654b2ce0704b09f8b522246cb4576a8296110850e87b539305bb2", hash);
    }

    [Fact]
    public void Hash_agrees_with_the_reference_at_every_length_and_split()
    {
        byte[] input = Counting(300, 11), hash = new byte[32];
        for (int length = 0; length <= input.Length; length++)
        {
            int split = length * 7 % (length + 1);
            Blake2s.Hash(input.AsSpan(0, split), input.AsSpan(split, length - split), hash);
            Assert.Equal(ReferenceBlake2s.Hash(default, input.AsSpan(0, length), 32), hash);
        }
    }

    [Fact]
    public void Mac_agrees_with_the_reference_for_every_key_length_also_when_they_change_from_call_to_call()
    {
        byte[] input = Counting(200, 5), mac = new byte[16];
        for (int length = 0; length <= input.Length; length++)
        {
            byte[] key = Counting(1 + length * 13 % 32, length);
            Blake2s.Mac(key, input.AsSpan(0, length), mac);
            Assert.Equal(ReferenceBlake2s.Hash(key, input.AsSpan(0, length), 16), mac);
        }
        Blake2s.Mac(Counting(32), "mesh"u8, mac);
        AssertHex("fde74a7e93f19f0a89762395d67ae91b", mac);
    }

    [Fact]
    public void Vectors_agree_with_the_library_on_random_inputs_in_pieces() => AgreeWithTheLibrary(50_000);

    [Fact(Explicit = true)]
    public void Vectors_agree_with_the_library_on_ten_million_inputs() => AgreeWithTheLibrary(10_000_000);

    /// <summary>Every length from 0 to 2,048 in turn, in pieces, so that blocks begin and end at every place of every piece.</summary>
    private static void AgreeWithTheLibrary(int rounds)
    {
        Assert.SkipUnless(Blake2sKernel.IsSupported, "this processor has no AVX2");
        const int Longest = 2048;
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        byte[] input = new byte[Longest], key = new byte[32], ours = new byte[32], theirs = new byte[32];
        byte[] ourKeys = new byte[96], theirKeys = new byte[96];
        random.NextBytes(input);
        for (int round = 0; round < rounds; round++)
        {
            int length = round % (Longest + 1), end = random.Next(length + 1), split = random.Next(end + 1);
            random.NextBytes(key);
            random.NextBytes(input.AsSpan(0, Math.Min(length, 80)));
            Span<byte> all = input.AsSpan(0, length), first = all[..split], second = all[split..end], third = all[end..];
            Blake2s.VectorHash(first, second, third, ours);
            LibraryBlake2s.Hash(first, second, third, theirs);
            Require("hash");

            int keyLength = 1 + round % 32;
            Blake2s.VectorMac(key.AsSpan(0, keyLength), all, ours.AsSpan(0, 16));
            LibraryBlake2s.Mac(key.AsSpan(0, keyLength), all, theirs.AsSpan(0, 16));
            Require("mac");

            Span<byte> hmacKey = input.AsSpan(0, random.Next(65));
            Blake2s.VectorHmac(hmacKey, second, third, ours);
            LibraryBlake2s.Hmac(hmacKey, second, third, theirs);
            Require("HMAC");

            // A handshake's key derivations are of 32 bytes or of none.
            Span<byte> secret = round % 3 == 0 ? default : input.AsSpan(0, 32);
            Blake2s.VectorKdf(key, secret, ourKeys.AsSpan(0, 32), ourKeys.AsSpan(32, 32), ourKeys.AsSpan(64));
            LibraryBlake2s.Kdf(key, secret, theirKeys.AsSpan(0, 32), theirKeys.AsSpan(32, 32), theirKeys.AsSpan(64));
            if (!ourKeys.AsSpan().SequenceEqual(theirKeys)) Assert.Fail($"seed {seed}, round {round}: KDF");

            void Require(string what)
            {
                if (!ours.AsSpan().SequenceEqual(theirs)) Assert.Fail($"seed {seed}, round {round}: {what}");
            }
        }
    }

    [Fact]
    public void This_process_uses_what_its_processor_has()
    {
        Assert.SkipWhen(AeadChoice.WantsLibrary, "the environment chooses the library");
        Assert.Equal(Blake2sKernel.IsSupported, Blake2s.UsesVectors);
        Assert.Equal(Blake2sKernel.IsSupported, Blake2s.UsesVectors && Blake2sSelfTest.Passes());
    }

    [Theory]
    [InlineData(32, 0, "e2641d24dfa8dd89e8cb77f1cdc77d8c006e5bebdfc4d6a3a3a6f8d5b7586fb0")]
    [InlineData(64, 300, "2205ed97e5d66ceaa2df8f9d80df42bba5d488a4da54fdfde61cfbf3391da67d")]
    [InlineData(0, 0, "eaf4bb25938f4d20e72656bbbc7a9bf63c0c18537333c35bdb67db1402661acd")]
    public void Hmac_has_known_answers(int keyLength, int inputLength, string expected)
    {
        byte[] hash = new byte[32], input = Counting(inputLength);
        Blake2s.Hmac(Counting(keyLength), input.AsSpan(0, inputLength / 3), input.AsSpan(inputLength / 3), hash);
        AssertHex(expected, hash);
    }

    [Fact]
    public void Hmac_may_write_over_its_inputs()
    {
        byte[] key = Counting(32), input = new byte[32];
        "Hi There"u8.CopyTo(input);
        Blake2s.Hmac(key, input.AsSpan(0, 8), default, input);
        AssertHex("65043ae3113da6f99a94d81b790a6a08dcddef85a14bb01d1aae2ae6d7250146", input);
    }

    [Fact]
    public void Kdf_gives_one_two_or_three_outputs_of_one_chain()
    {
        string[] expected =
        [
            "a308e29d3a10567bd1ac089e27310bd54ec6522ca2118240c3dd2416f7dc23fa",
            "c68caa124476385ed5f83d7aa98ebe58c9b636f48586d36061cf3781cc84b9a7",
            "089a9e4090ac20caaafab1a1e6d221242a8f1f547f4c2aea31d6312858451388",
        ];
        byte[] key = Counting(32), input = Counting(32, 0x40);
        for (int count = 1; count <= 3; count++)
        {
            byte[] first = new byte[32], second = new byte[count > 1 ? 32 : 0], third = new byte[count > 2 ? 32 : 0];
            Blake2s.Kdf(key, input, first, second, third);
            AssertHex(expected[0], first);
            if (count > 1) AssertHex(expected[1], second);
            if (count > 2) AssertHex(expected[2], third);
        }
    }

    [Fact]
    public void Kdf_takes_an_empty_input_and_writes_over_its_chaining_key()
    {
        byte[] chainingKey = Counting(32), second = new byte[32];
        Blake2s.Kdf(chainingKey, default, chainingKey, second);
        AssertHex("7a38c34bf2b8738d7374ca77c44ecb309a11d2b2528304fa86052c365e722624", chainingKey);
        AssertHex("1a17621f346abdc520746a9fb64d8eb03231d674fc15687537b0780fd9c060fd", second);
    }

    /// <summary>Paper section 5.4.4, with a made-up public key 01, 02, ... and the message 00, 01, ... of 116 bytes.</summary>
    [Fact]
    public void Mac1_has_a_known_answer_and_refuses_any_other()
    {
        var key = new Mac1Key(new X25519PublicKey(Counting(32, 1)));
        byte[] message = Counting(116), mac = new byte[16];
        key.Compute(message, mac);
        AssertHex("3aad596e438d5d18d36d2006d78ad668", mac);
        Assert.True(key.Verify(message, mac));
        Assert.False(key.Verify(message.AsSpan(1), mac));
        Assert.False(key.Verify(message, mac.AsSpan(0, 15)));
        Assert.False(new Mac1Key(new X25519PublicKey(Counting(32, 2))).Verify(message, mac));
        for (int bit = 0; bit < 128; bit++)
        {
            mac[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(key.Verify(message, mac), $"bit {bit}");
            mac[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Buffers_of_the_wrong_size_are_the_callers_mistake()
    {
        Assert.Throws<ArgumentException>(() => Blake2s.Hash(default, default, new byte[31]));
        Assert.Throws<ArgumentException>(() => Blake2s.Mac(new byte[33], default, new byte[16]));
        Assert.Throws<ArgumentException>(() => Blake2s.Mac(default, default, new byte[16]));
        Assert.Throws<ArgumentException>(() => Blake2s.Mac(new byte[32], default, new byte[32]));
        Assert.Throws<ArgumentException>(() => Blake2s.Hmac(new byte[65], default, default, new byte[32]));
    }

    private static int[] SelfTestLengths => [0, 3, 64, 65, 255, 1024];

    /// <summary>selftest_seq of RFC 7693 appendix E: a Fibonacci generator.</summary>
    private static byte[] SelfTestSequence(int length, uint seed)
    {
        uint a = 0xdead4bad * seed, b = 1;
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++)
        {
            (a, b) = (b, a + b);
            bytes[i] = (byte)(b >> 24);
        }
        return bytes;
    }
}
