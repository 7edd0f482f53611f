using System.Text;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed class XChaCha20Poly1305Tests
{
    private static readonly byte[] Key = Counting(32, 0x80);
    private static readonly byte[] Nonce = Counting(24, 0x40);

    /// <summary>draft-irtf-cfrg-xchacha-03, appendix A.3.1.</summary>
    [Fact]
    public void Seals_as_the_draft_appendix_A_3_1()
    {
        byte[] plaintext = Encoding.ASCII.GetBytes("Ladies and Gentlemen of the class of '99: If I could offer you "
            + "only one tip for the future, sunscreen would be it.");
        byte[] data = Hex("50515253c0c1c2c3c4c5c6c7"), sealedText = new byte[plaintext.Length + 16];
        XChaCha20Poly1305.Seal(Key, Nonce, plaintext, data, sealedText);
        AssertHex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c2"
            + "16cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
            + "c0875924c1c7987947deafd8780acf49", sealedText);
        byte[] opened = new byte[plaintext.Length];
        Assert.True(XChaCha20Poly1305.TryOpen(Key, Nonce, sealedText, data, opened));
        Assert.Equal(plaintext, opened);
    }

    [Fact]
    public void Seals_and_opens_in_place_at_every_length()
    {
        for (int length = 0; length < 200; length++)
        {
            byte[] message = Counting(length, 3), apart = new byte[length + 16], inPlace = new byte[length + 16];
            message.CopyTo(inPlace, 0);
            XChaCha20Poly1305.Seal(Key, Nonce, message, default, apart);
            XChaCha20Poly1305.Seal(Key, Nonce, inPlace.AsSpan(0, length), default, inPlace);
            Assert.Equal(apart, inPlace);
            Assert.True(XChaCha20Poly1305.TryOpen(Key, Nonce, inPlace, default, inPlace.AsSpan(0, length)));
            Assert.Equal(message, inPlace[..length]);
        }
    }

    [Fact]
    public void Any_changed_bit_is_refused_and_leaves_zeroes()
    {
        byte[] sealedText = new byte[16 + 16], plaintext = new byte[16];
        XChaCha20Poly1305.Seal(Key, Nonce, Counting(16), default, sealedText);
        for (int bit = 0; bit < sealedText.Length * 8; bit++)
        {
            sealedText[bit / 8] ^= (byte)(1 << (bit % 8));
            plaintext.AsSpan().Fill(0xff);
            Assert.False(XChaCha20Poly1305.TryOpen(Key, Nonce, sealedText, default, plaintext), $"bit {bit}");
            Assert.All(plaintext, b => Assert.Equal(0, b));
            sealedText[bit / 8] ^= (byte)(1 << (bit % 8));
        }
        Assert.False(XChaCha20Poly1305.TryOpen(Key, Nonce, sealedText, [1], plaintext));
        Assert.True(XChaCha20Poly1305.TryOpen(Key, Nonce, sealedText, default, plaintext));
    }

    [Fact]
    public void What_has_no_room_for_a_tag_is_refused()
    {
        for (int length = 0; length < 16; length++)
            Assert.False(XChaCha20Poly1305.TryOpen(Key, Nonce, new byte[length], default, default));
    }

    [Fact]
    public void Buffers_of_the_wrong_size_are_the_callers_mistake()
    {
        Assert.Throws<ArgumentException>(() => XChaCha20Poly1305.Seal(Key, Nonce, new byte[4], default, new byte[21]));
        Assert.Throws<ArgumentException>(() => XChaCha20Poly1305.Seal(Key, new byte[12], new byte[4], default, new byte[20]));
        Assert.Throws<ArgumentException>(() => XChaCha20Poly1305.TryOpen(Key, Nonce, new byte[20], default, new byte[3]));
        Assert.Throws<ArgumentException>(() => XChaCha20Poly1305.TryOpen(new byte[33], Nonce, new byte[20], default, new byte[4]));
    }
}
