using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed class X25519Tests
{
    private const string AlicePrivate = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    private const string AlicePublic = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    private const string BobPrivate = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    private const string BobPublic = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";

    /// <summary>RFC 7748 section 5.2; the second point has its top bit set, which is to be ignored.</summary>
    [Theory]
    [InlineData("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")]
    [InlineData("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")]
    public void Multiplies_as_Rfc7748_section_5_2(string scalar, string point, string expected)
    {
        byte[] shared = new byte[32];
        Assert.True(Agree(Hex(scalar), Hex(point), shared));
        AssertHex(expected, shared);
    }

    /// <summary>RFC 7748 section 5.2: each result is the next scalar, each scalar the next point.</summary>
    [Fact]
    public void Holds_after_one_and_a_thousand_iterations()
    {
        byte[] scalar = new byte[32], point;
        scalar[0] = 9;
        point = [.. scalar];
        for (int i = 1; i <= 1000; i++)
        {
            byte[] next = new byte[32];
            Assert.True(Agree(scalar, point, next));
            (scalar, point) = (next, scalar);
            if (i == 1) AssertHex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", scalar);
        }
        AssertHex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", scalar);
    }

    /// <summary>RFC 7748 section 6.1.</summary>
    [Fact]
    public void Both_sides_agree_as_Rfc7748_section_6_1()
    {
        using var alice = new X25519PrivateKey(Hex(AlicePrivate));
        using var bob = new X25519PrivateKey(Hex(BobPrivate));
        AssertHex(AlicePublic, alice.PublicKey.AsSpan());
        AssertHex(BobPublic, bob.PublicKey.AsSpan());
        byte[] one = new byte[32], other = new byte[32];
        Assert.True(alice.TryAgree(bob.PublicKey, one));
        Assert.True(bob.TryAgree(alice.PublicKey, other));
        AssertHex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", one);
        Assert.Equal(one, other);
    }

    /// <summary>Points of order 1, 2, 4 and 8 (RFC 7748 section 6.1 asks for the check).</summary>
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    public void A_point_of_low_order_is_refused_and_leaves_zeroes(string point)
    {
        byte[] shared = Counting(32, 1);
        Assert.False(Agree(Hex(AlicePrivate), Hex(point), shared));
        Assert.All(shared, b => Assert.Equal(0, b));
    }

    [Fact]
    public void Scalars_are_stored_clamped()
    {
        using var key = new X25519PrivateKey(Enumerable.Repeat((byte)0xff, 32).ToArray());
        byte[] stored = new byte[32];
        key.CopyTo(stored);
        Assert.Equal(0xf8, stored[0]);
        Assert.Equal(0x7f, stored[31]);
    }

    [Fact]
    public void Generated_keys_differ()
    {
        using var one = X25519PrivateKey.Generate();
        using var other = X25519PrivateKey.Generate();
        Assert.NotEqual(one.PublicKey, other.PublicKey);
        Assert.False(one.FixedTimeEquals(other));
    }

    [Fact]
    public void A_public_key_survives_its_text()
    {
        var key = new X25519PublicKey(Hex(AlicePublic));
        Assert.Equal("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=", key.ToString());
        Assert.True(X25519PublicKey.TryParse(key.ToString(), out var read));
        Assert.True(key == read && key.GetHashCode() == read.GetHashCode());
        AssertHex(AlicePublic, read.AsSpan());
        Assert.False(key != read);
        Assert.True(default(X25519PublicKey).IsZero);
        Assert.False(key.IsZero);
    }

    [Theory]
    [InlineData("")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo= ")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066Sp\n\n\n\nTmo=")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmpq")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTg==")]
    [InlineData("hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=")] // bits that belong to no byte: another spelling of one key
    public void Text_that_is_not_the_one_spelling_of_a_key_is_refused(string text)
    {
        Assert.False(X25519PublicKey.TryParse(text, out var key));
        Assert.True(key.IsZero);
    }

    /// <summary>By either library, whichever this process has chosen.</summary>
    internal static bool Agree(ReadOnlySpan<byte> scalar, ReadOnlySpan<byte> point, Span<byte> shared)
    {
        using var key = new X25519PrivateKey(scalar, libCrypto: true);
        using var sameKey = new X25519PrivateKey(scalar, libCrypto: false);
        Assert.Equal(sameKey.PublicKey, key.PublicKey);
        Span<byte> same = stackalloc byte[SecretKey.Length];
        bool agreed = key.TryAgree(new X25519PublicKey(point), shared);
        Assert.Equal(agreed, sameKey.TryAgree(new X25519PublicKey(point), same));
        Assert.True(same.SequenceEqual(shared));
        return agreed;
    }
}
