using System.Text;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed class ChaCha20Poly1305Tests
{
    private static readonly byte[] Key = Counting(32, 0x80);

    /// <summary>RFC 8439 section 2.8.2.</summary>
    [Fact]
    public void Seals_as_Rfc8439_section_2_8_2()
    {
        byte[] plaintext = Encoding.ASCII.GetBytes("Ladies and Gentlemen of the class of '99: If I could offer you "
            + "only one tip for the future, sunscreen would be it.");
        byte[] sealedText = new byte[plaintext.Length + 16];
        ChaCha20Poly1305.Seal(Key, Hex("070000004041424344454647"), plaintext, Hex("50515253c0c1c2c3c4c5c6c7"), sealedText);
        AssertHex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b"
            + "2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
            + "1ae10b594f09e26a7e902ecbd0600691", sealedText);
    }

    /// <summary>RFC 8439 appendix A.5.</summary>
    [Fact]
    public void Opens_as_Rfc8439_appendix_A_5()
    {
        byte[] sealedText = Hex("64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0"
            + "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c1"
            + "86324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf45"
            + "34d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a672"
            + "7627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b"
            + "eead9d67890cbb22392336fea1851f38");
        byte[] plaintext = new byte[sealedText.Length - 16];
        Assert.True(ChaCha20Poly1305.TryOpen(Hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"),
            Hex("000000000102030405060708"), sealedText, Hex("f33388860000000000004e91"), plaintext));
        Assert.Equal("Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or "
            + "obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material or to cite "
            + "them other than as /\u201cwork in progress./\u201d", Encoding.UTF8.GetString(plaintext));
    }

    [Theory]
    [InlineData(0UL, "000000000000000000000000")]
    [InlineData(0x0102030405060708UL, "000000000807060504030201")]
    [InlineData(ulong.MaxValue, "00000000ffffffffffffffff")]
    public void A_counter_becomes_WireGuards_nonce(ulong counter, string nonce)
    {
        byte[] message = Counting(50), byCounter = new byte[66], byNonce = new byte[66], opened = new byte[50];
        ChaCha20Poly1305.Seal(Key, counter, message, default, byCounter);
        ChaCha20Poly1305.Seal(Key, Hex(nonce), message, default, byNonce);
        Assert.Equal(byNonce, byCounter);
        Assert.True(ChaCha20Poly1305.TryOpen(Key, counter, byNonce, default, opened));
        Assert.Equal(message, opened);
    }

    /// <summary>Every length over the first vector blocks, and the longest packets: sealed and opened where they lie.</summary>
    [Fact]
    public void Seals_and_opens_in_place_at_every_length()
    {
        foreach (int length in Enumerable.Range(0, 300).Concat([1279, 1280, 1420, 2048, 65_519]))
        {
            byte[] message = Counting(length, 7), apart = new byte[length + 16], inPlace = new byte[length + 16];
            message.CopyTo(inPlace, 0);
            ChaCha20Poly1305.Seal(Key, 5, message, Counting(length % 33), apart);
            ChaCha20Poly1305.Seal(Key, 5, inPlace.AsSpan(0, length), Counting(length % 33), inPlace);
            Assert.Equal(apart, inPlace);
            Assert.True(ChaCha20Poly1305.TryOpen(Key, 5, inPlace, Counting(length % 33), inPlace.AsSpan(0, length)));
            Assert.Equal(message, inPlace[..length]);
        }
    }

    /// <summary>The base class library's implementation is the second opinion.</summary>
    [Fact]
    public void Agrees_with_the_base_class_library()
    {
        var random = new Random(8439);
        using var other = new System.Security.Cryptography.ChaCha20Poly1305(Key);
        for (int length = 0; length <= 1500; length += random.Next(1, 12))
        {
            byte[] nonce = new byte[12], message = new byte[length], data = new byte[random.Next(40)];
            byte[] ours = new byte[length + 16], theirs = new byte[length + 16];
            random.NextBytes(nonce);
            random.NextBytes(message);
            random.NextBytes(data);
            ChaCha20Poly1305.Seal(Key, nonce, message, data, ours);
            other.Encrypt(nonce, message, theirs.AsSpan(0, length), theirs.AsSpan(length), data);
            Assert.Equal(theirs, ours);
        }
    }

    [Fact]
    public void Any_changed_bit_is_refused_and_leaves_zeroes()
    {
        byte[] data = Counting(12), sealedText = new byte[20 + 16], plaintext = new byte[20];
        ChaCha20Poly1305.Seal(Key, 1, Counting(20), data, sealedText);
        for (int bit = 0; bit < sealedText.Length * 8; bit++)
        {
            sealedText[bit / 8] ^= (byte)(1 << (bit % 8));
            plaintext.AsSpan().Fill(0xff);
            Assert.False(ChaCha20Poly1305.TryOpen(Key, 1, sealedText, data, plaintext), $"bit {bit}");
            Assert.All(plaintext, b => Assert.Equal(0, b));
            sealedText[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        for (int bit = 0; bit < data.Length * 8; bit++)
        {
            data[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(ChaCha20Poly1305.TryOpen(Key, 1, sealedText, data, plaintext), $"associated bit {bit}");
            data[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        Assert.False(ChaCha20Poly1305.TryOpen(Key, 2, sealedText, data, plaintext));
        Assert.False(ChaCha20Poly1305.TryOpen(Counting(32), 1, sealedText, data, plaintext));
        Assert.True(ChaCha20Poly1305.TryOpen(Key, 1, sealedText, data, plaintext));
    }

    [Fact]
    public void A_forgery_does_not_spoil_the_next_message_on_its_thread()
    {
        byte[] sealedText = new byte[48], forged = new byte[48], plaintext = new byte[32];
        ChaCha20Poly1305.Seal(Key, 9, Counting(32), default, sealedText);
        for (int i = 0; i < 100; i++)
        {
            Assert.False(ChaCha20Poly1305.TryOpen(Key, 9, forged, default, plaintext));
            Assert.True(ChaCha20Poly1305.TryOpen(Key, 9, sealedText, default, plaintext));
        }
        Assert.Equal(Counting(32), plaintext);
    }

    [Fact]
    public void What_has_no_room_for_a_tag_is_refused()
    {
        for (int length = 0; length < 16; length++)
            Assert.False(ChaCha20Poly1305.TryOpen(Key, 0, new byte[length], default, default));
    }

    [Fact]
    public void Buffers_of_the_wrong_size_are_the_callers_mistake()
    {
        Assert.Throws<ArgumentException>(() => ChaCha20Poly1305.Seal(Key, 0, new byte[4], default, new byte[19]));
        Assert.Throws<ArgumentException>(() => ChaCha20Poly1305.Seal(new byte[31], 0, new byte[4], default, new byte[20]));
        Assert.Throws<ArgumentException>(() => ChaCha20Poly1305.TryOpen(Key, 0, new byte[20], default, new byte[5]));
        Assert.Throws<ArgumentException>(() => ChaCha20Poly1305.TryOpen(Key, new byte[24], new byte[20], default, new byte[4]));
    }
}
