using Mesh.Crypto;
using Mesh.Protocol.Control;

namespace Mesh.Protocol.Tests.Control;

public sealed class NodeKeyProofMacTests : IDisposable
{
    private readonly X25519PrivateKey _node = new(Counting(32, 1));
    private readonly X25519PrivateKey _challenge = new(Counting(32, 0x81));
    private readonly byte[] _nonce = Counting(32, 0x20);
    private readonly byte[] _machine = Counting(91, 0x30);
    private readonly byte[] _network = Counting(16, 0x50);

    public void Dispose()
    {
        _node.Dispose();
        _challenge.Dispose();
    }

    /// <summary>Computed with Python: X25519 of the cryptography package, HKDF and HMAC-SHA256 by hand from hmac.</summary>
    [Fact]
    public void The_proof_has_a_known_answer_and_both_sides_agree_on_it()
    {
        byte[] byNode = Prove(_node, _challenge.PublicKey), byCoordinator = Prove(_challenge, _node.PublicKey);
        Assert.Equal("78271a30b4dae6aa052ef4fcf51da3bf487879e834315cb3f578d71be2d90a0e", Convert.ToHexStringLower(byNode));
        Assert.Equal(byNode, byCoordinator);
    }

    /// <summary>Points of order 1, 2, 4 and 8.</summary>
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    public void A_key_of_low_order_proves_nothing(string point)
    {
        byte[] proof = new byte[32];
        var low = new X25519PublicKey(Convert.FromHexString(point));
        Assert.False(NodeKeyProofMac.TryCompute(_challenge, low, _nonce, _machine, low, _network, proof));
        Assert.Equal(new byte[32], proof);
    }

    [Fact]
    public void Any_other_input_gives_another_proof()
    {
        byte[] proof = Prove(_node, _challenge.PublicKey);
        using var other = new X25519PrivateKey(Counting(32, 0x61));
        Assert.NotEqual(proof, Prove(other, _challenge.PublicKey));
        Assert.NotEqual(proof, Prove(_node, other.PublicKey));
        Assert.NotEqual(proof, Prove(_node, _challenge.PublicKey, nodeKey: other.PublicKey));
        EveryBitMatters(_nonce);
        EveryBitMatters(_machine);
        EveryBitMatters(_network);

        void EveryBitMatters(byte[] input)
        {
            for (int bit = 0; bit < input.Length * 8; bit += 5)
            {
                input[bit / 8] ^= (byte)(1 << (bit % 8));
                Assert.NotEqual(proof, Prove(_node, _challenge.PublicKey));
                input[bit / 8] ^= (byte)(1 << (bit % 8));
            }
        }
    }

    [Fact]
    public void Lengths_that_would_make_what_is_covered_ambiguous_are_refused()
    {
        byte[] proof = new byte[32];
        var key = _node.PublicKey;
        Assert.Throws<ArgumentException>(() => NodeKeyProofMac.TryCompute(_node, _challenge.PublicKey, _nonce, _machine, key, _network.AsSpan(1), proof));
        Assert.Throws<ArgumentException>(() => NodeKeyProofMac.TryCompute(_node, _challenge.PublicKey, _nonce.AsSpan(1), _machine, key, _network, proof));
        Assert.Throws<ArgumentException>(() => NodeKeyProofMac.TryCompute(_node, _challenge.PublicKey, _nonce, _machine, key, _network, proof.AsSpan(1)));
    }

    private byte[] Prove(X25519PrivateKey local, X25519PublicKey remote, X25519PublicKey? nodeKey = null)
    {
        byte[] proof = new byte[32];
        Assert.True(NodeKeyProofMac.TryCompute(local, remote, _nonce, _machine, nodeKey ?? _node.PublicKey, _network, proof));
        return proof;
    }

    private static byte[] Counting(int length, int first) => [.. Enumerable.Range(first, length).Select(i => (byte)i)];
}
