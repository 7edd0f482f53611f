using System.Security.Cryptography;
using Mesh.Crypto;

namespace Mesh.Node.Device;

/// <summary>
/// One session: a key for each direction, made by one handshake. Its keys are zeroed by <see cref="Zero"/>, and only when no
/// packet path can be using them (see <see cref="Quiescence"/>).
/// </summary>
internal sealed class Keypair : IIndexed
{
    private readonly byte[] _keys = GC.AllocateUninitializedArray<byte>(2 * SecretKey.Length, pinned: true);
    private ulong _nextCounter;

    public Keypair(Peer peer, bool isInitiator, uint remoteIndex, long createdAt)
    {
        Peer = peer;
        IsInitiator = isInitiator;
        RemoteIndex = remoteIndex;
        CreatedAt = createdAt;
    }

    public Peer Peer { get; }

    public bool IsInitiator { get; }

    public uint LocalIndex { get; set; }

    public uint RemoteIndex { get; }

    /// <summary>The key that our response went to, which a cookie reply to it may come for; null when we were the initiator.</summary>
    public RemoteIdentity? AnsweredAs { get; init; }

    /// <summary>Device clock, ticks.</summary>
    public long CreatedAt { get; }

    /// <summary>Touched by the one thread that receives.</summary>
    public ReplayWindow Window { get; } = new();

    public Span<byte> SendKey => _keys.AsSpan(0, SecretKey.Length);

    public Span<byte> ReceiveKey => _keys.AsSpan(SecretKey.Length);

    public ulong SentMessages => Volatile.Read(ref _nextCounter);

    /// <summary>Takes the next counter to seal under. Past <see cref="Timing.RejectAfterMessages"/> it must not be used.</summary>
    public ulong TakeCounter() => TakeCounters(1);

    /// <summary>Takes counters in a row.</summary>
    /// <returns>The first of them.</returns>
    public ulong TakeCounters(int count) => Interlocked.Add(ref _nextCounter, (ulong)count) - (ulong)count;

    /// <summary>Makes the session send no more, while it still receives: the next packet starts a handshake.</summary>
    public void ExpireSending() => Volatile.Write(ref _nextCounter, Timing.RejectAfterMessages);

    public void Zero() => CryptographicOperations.ZeroMemory(_keys);
}
