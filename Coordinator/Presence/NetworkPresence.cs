using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Mesh.Coordinator.Presence.Memory;

namespace Mesh.Coordinator.Presence;

/// <summary>
/// What changes too often for the log: who is online, and where. In memory, versioned; the epoch tells lives of it apart whose
/// versions can't be compared. What was known in the last life may be given to the next (<see cref="PresenceKeeper"/>): then a
/// node that comes back as it was changes nothing. Thread-safe.
/// </summary>
public sealed partial class NetworkPresence
{
    /// <summary>Versions of which <see cref="ChangedBetween"/> knows without looking at every node.</summary>
    public const int ChangesKept = 16 * 1024;

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, PresenceSession> _sessions = [];

    /// <summary>Which node made each of the newest versions; a ring.</summary>
    private readonly ulong[] _changedAt = new ulong[ChangesKept];

    /// <summary>The ring knows of later versions only.</summary>
    private readonly long _firstVersion;
    private bool _frozen;
    private readonly Dictionary<ulong, Sighting> _sightings = [];
    private readonly long _started;
    private volatile PresenceView _current = new(0, ImmutableDictionary<ulong, NodePresence>.Empty);

    public NetworkPresence(TimeProvider time)
        : this(time, null)
    {
    }

    /// <param name="memory">Of an earlier life; null for none. Nodes that were online have <see cref="Settle"/>'s time to come back.</param>
    internal NetworkPresence(TimeProvider time, PresenceMemory? memory)
    {
        _time = time;
        _started = time.GetTimestamp();
        Span<byte> epoch = stackalloc byte[8];
        RandomNumberGenerator.Fill(epoch);
        Epoch = BinaryPrimitives.ReadUInt64BigEndian(epoch);
        if (memory is null)
            return;
        if (memory.IsLastWord)
        {
            Epoch = memory.Epoch;
            _firstVersion = memory.Version;
        }

        Remember(memory);
    }

    /// <summary>
    /// A node's presence changed. Raised outside of any lock, so two changes may arrive in either order: take the event as a
    /// hint and read <see cref="Current"/>.
    /// </summary>
    public event Action<ulong>? Changed;

    /// <summary>Random; versions of two epochs can't be compared.</summary>
    public ulong Epoch { get; }

    public PresenceView Current => _current;

    /// <summary>
    /// Nodes that changed after one version up to another, and perhaps some that changed later; null when the epoch never had
    /// these versions.
    /// </summary>
    public IReadOnlyCollection<ulong>? ChangedBetween(long after, long upTo)
    {
        lock (_lock)
        {
            var last = _current.Version;
            if (after < 0 || upTo > last)
                return null;
            // Each node knows when it last changed. One that was forgotten since has left the network's state too.
            if (after < _firstVersion || after < last - ChangesKept)
                return [.. _current.Nodes.Values.Where(node => node.Version > after).Select(node => node.NodeId)];
            HashSet<ulong> changed = [];
            for (var version = after + 1; version <= upTo; version++)
                changed.Add(_changedAt[version % ChangesKept]);
            return changed;
        }
    }

    /// <summary>Begins a session and ends the node's earlier one, if any.</summary>
    /// <param name="bootId">16 bytes that the node's daemon chose when it started.</param>
    public PresenceSession Connect(ulong nodeId, ReadOnlySpan<byte> bootId)
    {
        var boot = BinaryPrimitives.ReadUInt128BigEndian(bootId);
        PresenceSession session;
        PresenceSession? earlier;
        bool changed;
        lock (_lock)
        {
            _sessions.TryGetValue(nodeId, out earlier);
            session = new PresenceSession(this, nodeId, boot, earlier is not null && earlier.BootId != boot);
            _sessions[nodeId] = session;
            _settling.Remove(nodeId);
            _sightings[nodeId] = SightingNow();
            changed = Update(nodeId, node => node with { Online = true });
        }

        earlier?.Supersede(earlier.BootId == boot ? SessionEnd.Reconnected : SessionEnd.OtherBoot);
        if (changed)
            Changed?.Invoke(nodeId);
        return session;
    }

    /// <summary>
    /// Replaces a node's endpoints. False, and nothing changes, when the node's live session is of another boot: the report is
    /// an older daemon's, or a copy's.
    /// </summary>
    /// <param name="bootId">16 bytes, as in <see cref="Connect"/>.</param>
    /// <param name="endpoints">Best first.</param>
    public bool Report(ulong nodeId, ReadOnlySpan<byte> bootId, ImmutableArray<PresenceEndpoint> endpoints)
    {
        var boot = BinaryPrimitives.ReadUInt128BigEndian(bootId);
        bool changed;
        lock (_lock)
        {
            if (_sessions.TryGetValue(nodeId, out var session) && session.BootId != boot)
                return false;
            _sightings[nodeId] = SightingNow();
            changed = Update(
                nodeId,
                node => node.Endpoints.AsSpan().SequenceEqual(endpoints.AsSpan()) ? node : node with { Endpoints = endpoints });
        }

        if (changed)
            Changed?.Invoke(nodeId);
        return true;
    }

    /// <summary>Notes a sign of life. Changes no version.</summary>
    public void Seen(ulong nodeId)
    {
        lock (_lock)
            _sightings[nodeId] = SightingNow();
    }

    /// <summary>When the node last gave a sign of life in this epoch: now for one that is online.</summary>
    public DateTimeOffset? LastSeen(ulong nodeId)
    {
        lock (_lock)
        {
            if (_sessions.ContainsKey(nodeId))
                return _time.GetUtcNow();
            return _sightings.TryGetValue(nodeId, out var seen) ? seen.At : null;
        }
    }

    /// <summary>
    /// How long the node has given no sign of life, by the monotonic clock and in this life of the process: from its start on
    /// for one that was not seen in it. Zero for one that is online.
    /// </summary>
    public TimeSpan AbsentFor(ulong nodeId)
    {
        lock (_lock)
        {
            if (_sessions.ContainsKey(nodeId))
                return TimeSpan.Zero;
            return _time.GetElapsedTime(_sightings.TryGetValue(nodeId, out var seen) ? seen.Timestamp : _started);
        }
    }

    /// <summary>Drops all that is known of a node that was deleted, and ends its session.</summary>
    public void Forget(ulong nodeId)
    {
        PresenceSession? session;
        bool changed;
        lock (_lock)
        {
            _sessions.Remove(nodeId, out session);
            _settling.Remove(nodeId);
            _sightings.Remove(nodeId);
            var view = _current;
            changed = !_frozen && view.Nodes.ContainsKey(nodeId);
            if (changed)
                Publish(nodeId, view.Version + 1, view.Nodes.Remove(nodeId));
        }

        session?.Supersede(SessionEnd.Forgotten);
        if (changed)
            Changed?.Invoke(nodeId);
    }

    internal void End(PresenceSession session)
    {
        bool changed;
        lock (_lock)
        {
            if (!_sessions.TryGetValue(session.NodeId, out var newest) || newest != session)
                return;
            _sessions.Remove(session.NodeId);
            _sightings[session.NodeId] = SightingNow();
            changed = Update(session.NodeId, node => node with { Online = false });
        }

        if (changed)
            Changed?.Invoke(session.NodeId);
    }

    private Sighting SightingNow() => new(_time.GetUtcNow(), _time.GetTimestamp());

    /// <summary>The caller holds the lock.</summary>
    private bool Update(ulong nodeId, Func<NodePresence, NodePresence> change)
    {
        var view = _current;
        var before = view.Find(nodeId) ?? new NodePresence { NodeId = nodeId };
        var after = change(before);
        if (_frozen || (after.Online == before.Online && after.Endpoints == before.Endpoints))
            return false;
        var version = view.Version + 1;
        Publish(nodeId, version, view.Nodes.SetItem(nodeId, after with { Version = version }));
        return true;
    }

    /// <summary>The caller holds the lock.</summary>
    private void Publish(ulong nodeId, long version, ImmutableDictionary<ulong, NodePresence> nodes)
    {
        _changedAt[version % ChangesKept] = nodeId;
        _current = new PresenceView(version, nodes);
    }

    /// <param name="At">For people.</param>
    /// <param name="Timestamp">For measuring; of this process.</param>
    private readonly record struct Sighting(DateTimeOffset At, long Timestamp);
}
