using System.Security.Cryptography;
using Mesh.Crypto;

namespace Mesh.Node.Device;

/// <summary>
/// One session: a key for each direction, made by one handshake. Every packet path may use it, each on its thread: they share the
/// counters to send under and the window of those received. Its keys are zeroed by <see cref="Zero"/>, and only when no packet path
/// can be using them (see <see cref="Quiescence"/>).
/// </summary>
internal sealed class Keypair : IIndexed
{
    private readonly byte[] _keys = GC.AllocateUninitializedArray<byte>(2 * SecretKey.Length, pinned: true);
    private readonly ReplayWindow _window = new();
    private readonly Lock _windowGate = new();
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

    public Span<byte> SendKey => _keys.AsSpan(0, SecretKey.Length);

    public Span<byte> ReceiveKey => _keys.AsSpan(SecretKey.Length);

    public ulong SentMessages => Volatile.Read(ref _nextCounter);

    /// <summary>Takes the next counter to seal under. From <see cref="Timing.RejectAfterMessages"/> on it must not be used.</summary>
    public ulong TakeCounter() => TakeCounters(1);

    /// <summary>Takes counters in a row, or none: the count of those taken never goes past the last, whoever asks and how often.</summary>
    /// <returns>The first of them; <see cref="ulong.MaxValue"/> when there are not so many left.</returns>
    public ulong TakeCounters(int count)
    {
        while (true)
        {
            ulong first = Volatile.Read(ref _nextCounter);
            if (first > Timing.RejectAfterMessages - (ulong)count) return ulong.MaxValue;
            if (Interlocked.CompareExchange(ref _nextCounter, first + (ulong)count, first) == first) return first;
        }
    }

    /// <summary>Whether a message with this counter may be good: asked before it is opened, as that costs more.</summary>
    public bool MayAccept(ulong counter) => _window.MayAccept(counter);

    /// <summary>
    /// Takes the counters of opened messages, each once, whichever path comes first with it. The lock is taken once for all of them,
    /// and two paths meet at it only where messages of one session come over two queues.
    /// </summary>
    /// <param name="packets">32 at most.</param>
    /// <param name="isNewest">One of them was sent later than all that came before.</param>
    /// <returns>A bit for each that is authentic and was not seen before.</returns>
    public uint Accept(ReadOnlySpan<AeadPacket> packets, out bool isNewest)
    {
        uint accepted = 0;
        isNewest = false;
        lock (_windowGate)
        {
            for (int i = 0; i < packets.Length; i++)
            {
                if (!packets[i].IsAuthentic || !_window.TryAccept(packets[i].Counter)) continue;
                accepted |= 1u << i;
                isNewest |= packets[i].Counter == _window.Largest;
            }
        }
        return accepted;
    }

    /// <summary>Makes the session send no more, while it still receives: the next packet starts a handshake.</summary>
    public void ExpireSending() => Volatile.Write(ref _nextCounter, Timing.RejectAfterMessages);

    public void Zero() => CryptographicOperations.ZeroMemory(_keys);
}
