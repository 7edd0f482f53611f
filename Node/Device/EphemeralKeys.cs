using System.Collections.Concurrent;
using Mesh.Crypto;

namespace Mesh.Node.Device;

/// <summary>
/// Ephemeral keys, of which some are made ahead while there is nothing to do: making one is a quarter of what an answer to a
/// handshake costs, and after an outage all peers want theirs at once. Each is used once, by its taker, who zeroes it. As many
/// wait as there are peers, up to <see cref="MostAhead"/>, so that a device of few peers holds few.
/// </summary>
internal sealed class EphemeralKeys : IDisposable
{
    /// <summary>2 MiB of keys, as libcrypto keeps them, and some 60 ms of work.</summary>
    public const int MostAhead = 2048;

    private readonly ConcurrentQueue<X25519PrivateKey> _ahead = new();
    private int _count;
    private int _wanted;

    /// <summary>A fresh key, which is the caller's.</summary>
    public X25519PrivateKey Take()
    {
        if (!_ahead.TryDequeue(out X25519PrivateKey? key)) return X25519PrivateKey.Generate();
        Interlocked.Decrement(ref _count);
        return key;
    }

    /// <summary>How many peers there are now.</summary>
    public void WantFor(int peers) => Volatile.Write(ref _wanted, Math.Min(peers, MostAhead));

    /// <summary>Makes one more if it is wanted. One thread calls it.</summary>
    public bool MakeOne()
    {
        if (Volatile.Read(ref _count) >= Volatile.Read(ref _wanted)) return false;
        _ahead.Enqueue(X25519PrivateKey.Generate());
        Interlocked.Increment(ref _count);
        return true;
    }

    public void Dispose()
    {
        while (_ahead.TryDequeue(out X25519PrivateKey? key)) key.Dispose();
        (_count, _wanted) = (0, 0);
    }
}
