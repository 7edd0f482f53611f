using System.Reflection;
using Mesh.Crypto.Noise;
using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed class SecretKeyTests
{
    [Fact]
    public void Dispose_zeroes_the_memory_and_ends_the_key()
    {
        foreach (SecretKey key in new SecretKey[] { new PresharedKey(Counting(32, 1)), new X25519PrivateKey(Counting(32, 1)) })
        {
            var memory = key.Bytes;
            Assert.True(memory.ContainsAnyExcept((byte)0));
            key.Dispose();
            Assert.False(memory.ContainsAnyExcept((byte)0));
            Assert.Throws<ObjectDisposedException>(() => key.CopyTo(new byte[32]));
            Assert.Throws<ObjectDisposedException>(() => key.IsZero);
            key.Dispose();
        }
    }

    [Fact]
    public void The_memory_does_not_move()
    {
        using var key = new PresharedKey(Counting(32));
        // The pinned object heap is never compacted; it counts as generation 2 from the start.
        byte[] bytes = Field<byte[]>(key, typeof(SecretKey), "_bytes");
        Assert.Equal(GC.MaxGeneration, GC.GetGeneration(bytes));
    }

    [Fact]
    public void A_disposed_private_key_agrees_with_nobody()
    {
        using var peer = X25519PrivateKey.Generate();
        var key = X25519PrivateKey.Generate();
        key.Dispose();
        Assert.Throws<ObjectDisposedException>(() => key.TryAgree(peer.PublicKey, new byte[32]));
    }

    [Fact]
    public void A_handshake_zeroes_its_state_and_its_ephemeral_key()
    {
        using var local = X25519PrivateKey.Generate();
        using var remote = X25519PrivateKey.Generate();
        byte[] staticStatic = new byte[32];
        Assert.True(local.TryAgree(remote.PublicKey, staticStatic));
        var ephemeral = X25519PrivateKey.Generate();
        var handshake = NoiseIk.Initiator(NoiseProtocol.WireGuard, remote.PublicKey);
        Assert.True(handshake.TryWriteFirst(ephemeral, local, remote.PublicKey, staticStatic, new byte[12], new byte[108]));
        var memory = ephemeral.Bytes;
        byte[] state = Field<byte[]>(Field<SymmetricState>(handshake, typeof(NoiseIk), "_state"), typeof(SymmetricState), "_memory");
        Assert.Contains(state, b => b != 0);

        handshake.Dispose();

        Assert.False(memory.ContainsAnyExcept((byte)0));
        Assert.All(state, b => Assert.Equal(0, b));
        Assert.False(local.IsZero);
    }

    [Fact]
    public void A_secret_is_never_printed()
    {
        byte[] bytes = Counting(32, 0xc0);
        foreach (SecretKey key in new SecretKey[] { new PresharedKey(bytes), new X25519PrivateKey(bytes) })
        {
            using (key)
            {
                Assert.Equal($"({key.GetType().Name})", $"{key}");
                // What a serializer or a structured log would walk: nothing but these two.
                var shown = key.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance);
                Assert.All(shown, property => Assert.Contains(property.Name, new[] { "IsZero", "PublicKey" }));
                Assert.Empty(key.GetType().GetFields(BindingFlags.Public | BindingFlags.Instance));
            }
        }
        var wrong = Assert.Throws<ArgumentException>(() => new PresharedKey(bytes.AsSpan(1)));
        Assert.Equal("a key has 32 bytes (Parameter 'bytes')", wrong.Message);
    }

    /// <summary>The compiler refuses the operators: both carry an obsolete mark that is an error.</summary>
    [Theory]
    [InlineData("op_Equality")]
    [InlineData("op_Inequality")]
    public void Secrets_cannot_be_compared_by_an_operator(string name)
    {
        var marks = typeof(SecretKey).GetMethod(name)!.GetCustomAttributes<ObsoleteAttribute>();
        Assert.True(Assert.Single(marks).IsError);
    }

    [Fact]
    public void Equal_bytes_are_found_in_fixed_time_only()
    {
        using var one = new PresharedKey(Counting(32));
        using var same = new PresharedKey(Counting(32));
        using var other = new PresharedKey(Counting(32, 1));
        Assert.True(one.FixedTimeEquals(same));
        Assert.False(one.FixedTimeEquals(other));
        Assert.False(one.Equals(same));
        Assert.True(one.Equals(one));
    }

    [Fact]
    public void The_key_is_a_copy_of_what_it_was_made_from()
    {
        byte[] bytes = Counting(32, 1);
        using var key = new PresharedKey(bytes);
        bytes.AsSpan().Clear();
        Assert.False(key.IsZero);
        key.CopyTo(bytes);
        Assert.Equal(Counting(32, 1), bytes);
        using var none = new PresharedKey(new byte[32]);
        Assert.True(none.IsZero);
    }

    private static T Field<T>(object owner, Type type, string name) =>
        (T)type.GetField(name, BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(owner)!;
}
