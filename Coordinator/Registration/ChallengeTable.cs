using System.Buffers.Binary;
using System.Security.Cryptography;
using Mesh.Coordinator.Log;
using Mesh.Crypto;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Registration;

/// <summary>A fresh key and nonce that one machine may prove a node key against, once, in one network.</summary>
internal sealed record Challenge(UInt128 Id, Bytes32 Machine, NetworkId Network, X25519PrivateKey Key, byte[] Nonce, long IssuedAt) : IDisposable
{
    public byte[] IdBytes()
    {
        byte[] bytes = new byte[ControlLimits.ChallengeIdBytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Id);
        return bytes;
    }

    public void Dispose() => Key.Dispose();
}

/// <summary>
/// The challenges outstanding: at most <see cref="ControlLimits.ChallengesPerMachine"/> a machine (a further one replaces its
/// oldest) and <see cref="ControlLimits.ChallengesOutstanding"/> in all (a further one is refused). Thread-safe.
/// </summary>
internal sealed class ChallengeTable(TimeProvider clock) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Challenge> _byAge = new();
    private readonly Dictionary<UInt128, LinkedListNode<Challenge>> _byId = [];
    private readonly Dictionary<Bytes32, Queue<UInt128>> _byMachine = [];

    public int Count
    {
        get { lock (_lock) return _byId.Count; }
    }

    /// <summary>Null when too many are outstanding. The table owns the challenge until it is taken.</summary>
    public Challenge? Issue(Bytes32 machine, NetworkId network)
    {
        lock (_lock)
        {
            while (_byAge.First is { } oldest && IsOver(oldest.Value)) Remove(oldest);
            if (_byMachine.TryGetValue(machine, out var own) && own.Count >= ControlLimits.ChallengesPerMachine)
                Remove(_byId[own.Peek()]);
            if (_byId.Count >= ControlLimits.ChallengesOutstanding) return null;
        }
        Span<byte> id = stackalloc byte[ControlLimits.ChallengeIdBytes];
        RandomNumberGenerator.Fill(id);
        var challenge = new Challenge(
            BinaryPrimitives.ReadUInt128BigEndian(id), machine, network, X25519PrivateKey.Generate(),
            RandomNumberGenerator.GetBytes(ControlLimits.NonceBytes), clock.GetTimestamp());
        lock (_lock)
        {
            _byId.Add(challenge.Id, _byAge.AddLast(challenge));
            if (!_byMachine.TryGetValue(machine, out var own)) _byMachine[machine] = own = new Queue<UInt128>();
            own.Enqueue(challenge.Id);
        }
        return challenge;
    }

    /// <summary>
    /// The challenge, which is used up by this and the caller's to dispose; null when it is not this machine's, of another
    /// network, over, or used.
    /// </summary>
    /// <param name="id">16 bytes.</param>
    public Challenge? Take(ReadOnlySpan<byte> id, Bytes32 machine, NetworkId network)
    {
        lock (_lock)
        {
            if (!_byId.TryGetValue(BinaryPrimitives.ReadUInt128BigEndian(id), out var found)) return null;
            var challenge = found.Value;
            if (challenge.Machine != machine || challenge.Network != network) return null;
            bool over = IsOver(challenge);
            Remove(found, dispose: over);
            return over ? null : challenge;
        }
    }

    public void Dispose()
    {
        lock (_lock)
            while (_byAge.First is { } oldest) Remove(oldest);
    }

    private bool IsOver(Challenge challenge) => clock.GetElapsedTime(challenge.IssuedAt) > ControlLimits.ChallengeLifetime;

    private void Remove(LinkedListNode<Challenge> node, bool dispose = true)
    {
        var challenge = node.Value;
        _byAge.Remove(node);
        _byId.Remove(challenge.Id);
        var own = _byMachine[challenge.Machine];
        if (own.Count <= 1)
        {
            _byMachine.Remove(challenge.Machine);
        }
        else
        {
            // At most a handful; the order stays.
            for (int i = own.Count; i > 0; i--)
                if (own.Dequeue() is var id && id != challenge.Id) own.Enqueue(id);
        }
        if (dispose) challenge.Dispose();
    }
}
