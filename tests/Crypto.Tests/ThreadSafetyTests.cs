using static Mesh.Crypto.Tests.TestBytes;

namespace Mesh.Crypto.Tests;

public sealed class ThreadSafetyTests
{
    private const int Threads = 8;

    /// <summary>Each thread has contexts of its own: interleaved use with other keys and inputs changes no answer.</summary>
    [Fact]
    public void Threads_do_not_disturb_each_other()
    {
        const int Rounds = 400;
        Together(id => Run(id, Rounds));
    }

    /// <summary>A node key is everyone's who answers a handshake.</summary>
    [Fact]
    public void Threads_agree_with_one_private_key_at_once()
    {
        foreach (bool libCrypto in new[] { true, false }) AgreeAtOnce(libCrypto);
    }

    private static void AgreeAtOnce(bool libCrypto)
    {
        using var shared = new X25519PrivateKey(Counting(32), libCrypto);
        Together(id =>
        {
            using var peer = new X25519PrivateKey(Counting(32, id + 1));
            byte[] ours = new byte[32], theirs = new byte[32];
            for (int i = 0; i < 200; i++)
            {
                if (!shared.TryAgree(peer.PublicKey, ours) || !peer.TryAgree(shared.PublicKey, theirs) || !ours.SequenceEqual(theirs))
                    return $"libcrypto {libCrypto}, thread {id}, round {i}";
                // A failure in between leaves nothing behind.
                if (shared.TryAgree(default, ours)) return $"thread {id}, round {i}: a point of low order";
            }
            return null;
        });
    }

    [Fact]
    public void A_key_of_libcrypto_that_is_disposed_of_while_threads_agree_with_it_gives_the_right_answer_or_none()
    {
        using var peer = new X25519PrivateKey(Counting(32, 1));
        byte[] expected = new byte[32];
        for (int round = 0; round < 20; round++)
        {
            var shared = new X25519PrivateKey(Counting(32), libCrypto: true);
            Assert.True(peer.TryAgree(shared.PublicKey, expected));
            int begun = 0;
            Together(id =>
            {
                byte[] ours = new byte[32];
                try
                {
                    while (true)
                    {
                        if (!shared.TryAgree(peer.PublicKey, ours) || !ours.SequenceEqual(expected)) return $"thread {id}: a wrong answer";
                        if (Interlocked.Increment(ref begun) == 2 * Threads) shared.Dispose();
                    }
                }
                catch (ObjectDisposedException)
                {
                    return null;
                }
            });
        }
    }

    private static void Together(Func<int, string?> run)
    {
        string?[] failures = new string?[Threads];
        using var start = new Barrier(Threads);
        var threads = Enumerable.Range(0, Threads).Select(id => new Thread(() =>
        {
            start.SignalAndWait();
            failures[id] = run(id);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.All(failures, Assert.Null);
    }

    private static string? Run(int id, int rounds)
    {
        byte[] key = Counting(32, id), message = Counting(100 + id, id), sealedText = new byte[message.Length + 16], opened = new byte[message.Length];
        using var reference = new System.Security.Cryptography.ChaCha20Poly1305(key);
        byte[] hash = new byte[32], mac = new byte[16], shared = new byte[32], sharedAgain = new byte[32];
        byte[] expectedHash = ReferenceBlake2s.Hash(default, message, 32), expectedMac = ReferenceBlake2s.Hash(key, message, 16);
        byte[] expectedSealed = new byte[sealedText.Length];
        reference.Encrypt(new byte[12], message, expectedSealed.AsSpan(0, message.Length), expectedSealed.AsSpan(message.Length));
        using var one = new X25519PrivateKey(Counting(32, id));
        using var other = new X25519PrivateKey(Counting(32, id + 1));
        for (int i = 0; i < rounds; i++)
        {
            ChaCha20Poly1305.Seal(key, 0, message, default, sealedText);
            if (!sealedText.SequenceEqual(expectedSealed)) return $"thread {id}, round {i}: seal";
            if (!ChaCha20Poly1305.TryOpen(key, 0, sealedText, default, opened) || !opened.SequenceEqual(message)) return $"thread {id}, round {i}: open";
            if (!AeadModes.Seal(TransportAead.Implementation, key, 0, message).SequenceEqual(expectedSealed)) return $"thread {id}, round {i}: batch";
            Blake2s.Hash(message, default, hash);
            if (!hash.SequenceEqual(expectedHash)) return $"thread {id}, round {i}: hash";
            Blake2s.Mac(key, message, mac);
            if (!mac.SequenceEqual(expectedMac)) return $"thread {id}, round {i}: mac";
            if (i % 16 != 0) continue;
            if (!one.TryAgree(other.PublicKey, shared) || !other.TryAgree(one.PublicKey, sharedAgain) || !shared.SequenceEqual(sharedAgain))
                return $"thread {id}, round {i}: agreement";
        }
        return null;
    }
}
