using System.Collections.Concurrent;
using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Presence;
using Mesh.Coordinator.Trust;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Map;

/// <summary>
/// The open polls of one network, and who of them is woken by what.
/// <code>
///   log event ──▶ places of the nodes it touched  ─┐  gathered; one worker at a time wakes the
///   presence  ──▶ place of the node               ─┴▶ polls whose class sees one of these ──▶ each poll computes its delta
/// </code>
/// Costs one reference a poll that must hear of a change, and one timer for all of them together.
/// </summary>
internal sealed partial class MapHub : IDisposable
{
    /// <summary>Positions that the index of changes goes back.</summary>
    private const int ChangesKept = 16 * 1024;

    private static readonly TimeSpan TickInterval = TimeSpan.FromSeconds(1);

    private readonly CoordinatorKeys? _keys;
    private readonly byte[] _tokenKey;
    private readonly ILogger _log;
    private readonly ChangeIndex _changes;
    private readonly ITimer _ticker;

    private readonly Lock _sessionLock = new();
    private readonly PollIndex _sessions = new();
    private bool _stopping;

    // By node id: the position of the map that it said it has.
    private readonly ConcurrentDictionary<ulong, long> _applied = new();

    private readonly Lock _pendingLock = new();
    private HashSet<PollPlace> _pendingPlaces = [];
    private HashSet<ulong> _pendingViewers = [];
    private bool _pendingAll;
    private bool _waking;

    /// <param name="tokenKey">32 bytes, the same in every life of the coordinator.</param>
    public MapHub(NetworkRuntime runtime, byte[] tokenKey, TimeProvider clock, CoordinatorMetrics metrics, ILogger log, CoordinatorKeys? keys = null)
    {
        _keys = keys;
        (Runtime, _tokenKey, Clock, Metrics, _log) = (runtime, tokenKey, clock, metrics, log);
        _changes = new ChangeIndex(runtime.State.Position, ChangesKept);
        runtime.StateChanged += OnStateChanged;
        runtime.Presence.Changed += OnPresenceChanged;
        if (keys is not null) keys.RootsChanged += OnRootsChanged;
        _ticker = clock.CreateTimer(_ => Tick(), null, TickInterval, TickInterval);
    }

    public NetworkRuntime Runtime { get; }

    public TimeProvider Clock { get; }

    public CoordinatorMetrics Metrics { get; }

    public EntryCache Entries { get; } = new();

    public int OpenPolls
    {
        get { lock (_sessionLock) return _sessions.Count; }
    }

    /// <summary>
    /// Files a session as its node's newest; the presence session that it was made with has ended the one before. False when
    /// the coordinator stops.
    /// </summary>
    public bool Open(PollSession session)
    {
        lock (_sessionLock)
        {
            if (_stopping) return false;
            _sessions.Add(session, Runtime.State.FindNode(session.NodeId));
        }
        Metrics.PollOpened();
        return true;
    }

    public void Close(PollSession session)
    {
        lock (_sessionLock) _sessions.Remove(session);
        Metrics.PollClosed();
    }

    /// <summary>Asks every poll to come back later, and takes no new ones.</summary>
    public void Stop()
    {
        PollSession[] open;
        lock (_sessionLock)
        {
            _stopping = true;
            open = [.. _sessions.All];
        }
        foreach (var session in open) session.End(NoticeKind.Reconnect);
    }

    /// <summary>Takes polls again after <see cref="Stop"/>.</summary>
    public void Resume()
    {
        lock (_sessionLock) _stopping = false;
    }

    /// <summary>
    /// Passes on that a node wants to be reached by a peer. False when the two don't see each other, which looks the same as
    /// a peer that does not exist; a peer without a poll hears nothing.
    /// </summary>
    public bool Reach(ulong fromNode, ulong toNode, IEnumerable<Endpoint> endpoints)
    {
        if (!new MapView(Runtime.State, fromNode).Sees(toNode, out _)) return false;
        PollSession? session;
        lock (_sessionLock) session = _sessions.Find(toNode);
        var reach = new Reach { NodeId = fromNode };
        reach.Endpoints.AddRange(endpoints);
        session?.AskToReach(reach);
        return true;
    }

    /// <summary>
    /// Takes in a node's word that it has applied the map of a position and keeps it. Who says so falsely harms his own tunnels
    /// alone: the peers' new keys are theirs to know.
    /// </summary>
    public void NoteApplied(ulong nodeId, ulong position)
    {
        if (position > (ulong)Runtime.State.Position) return;
        _applied.AddOrUpdate(nodeId, (long)position, (_, before) => Math.Max(before, (long)position));
    }

    /// <summary>Whether every peer of a node that is online has said that it has the map of a position.</summary>
    public bool HaveApplied(ulong nodeId, long position)
    {
        var presence = Runtime.Presence.Current;
        foreach (var peer in new MapView(Runtime.State, nodeId).Peers())
            if (presence.IsOnline(peer.Id) && _applied.GetValueOrDefault(peer.Id, -1) < position) return false;
        return true;
    }

    public ByteString Token(ulong nodeId, NetworkState state, PresenceView presence) =>
        UnsafeByteOperations.UnsafeWrap(
            new ResumeToken(state.Point, Runtime.Presence.Epoch, presence.Version).Encode(_tokenKey, Runtime.Id, nodeId));

    /// <summary>Where a token's node stands; null when it cannot be continued from, and needs a snapshot.</summary>
    public MapCursor? Resume(ReadOnlySpan<byte> token, ulong nodeId)
    {
        if (!ResumeToken.TryDecode(token, _tokenKey, Runtime.Id, nodeId, out var decoded)) return null;
        if (Runtime.StateAt(decoded.Point) is not { } state) return null;
        // A state in which the node took no part has no view to continue from.
        if (new MapView(state, nodeId).Viewer is null) return null;
        bool known = decoded.PresenceEpoch == Runtime.Presence.Epoch;
        return new MapCursor(state, null, known ? decoded.PresenceVersion : -1);
    }

    /// <summary>Nodes that may differ between a cursor and a state; null for any.</summary>
    public IReadOnlySet<ulong>? TouchedBetween(MapCursor from, NetworkState state) => _changes.TouchedBetween(from.State.Position, state.Position);

    /// <summary>Nodes whose presence may differ from what a cursor says; null for any.</summary>
    public IReadOnlyCollection<ulong>? MovedBetween(MapCursor from, PresenceView presence) =>
        from.PresenceVersion < 0 ? null : Runtime.Presence.ChangedBetween(from.PresenceVersion, presence.Version);

    /// <summary>The wait before the next keepalive: the interval, a tenth more or less.</summary>
#pragma warning disable CA1822, CA5394 // Jitter is no secret.
    public TimeSpan NextKeepAlive() => ControlLimits.KeepAliveInterval * (0.9 + 0.2 * Random.Shared.NextDouble());
#pragma warning restore CA1822, CA5394

    public void ViewTooLarge(ulong nodeId) => LogViewTooLarge(_log, Runtime.Name, nodeId, ControlLimits.MapFrameBytes);

    public void Dispose()
    {
        Stop();
        _ticker.Dispose();
        if (_keys is not null) _keys.RootsChanged -= OnRootsChanged;
        Runtime.StateChanged -= OnStateChanged;
        Runtime.Presence.Changed -= OnPresenceChanged;
        CryptographicOperations.ZeroMemory(_tokenKey);
    }

    /// <summary>What a connection under a root is told of the root after it; null for nothing.</summary>
    public NextRoot? NextRootFor(RootIdentity? root) => root is not null && ReferenceEquals(_keys?.Root, root) ? _keys.Next : null;

    // A next root is told to every poll; one that took over asks the polls under its predecessor to connect anew.
    private void OnRootsChanged()
    {
        PollSession[] open;
        lock (_sessionLock) open = [.. _sessions.All];
        var staying = open.ToLookup(session => session.Root is null || ReferenceEquals(session.Root, _keys!.Root));
        new WakeBatch([.. staying[true]]).Start();
        foreach (var session in staying[false]) session.Leave();
    }

    private void Tick()
    {
        PollSession[] open;
        lock (_sessionLock) open = [.. _sessions.All];
        foreach (var session in open) session.Tick();
    }

    // On the log's writer thread: gathers, and leaves the work to the pool.
    private void OnStateChanged(StateChange change)
    {
        bool wake = false;
        lock (_pendingLock)
        {
            foreach (var e in change.Events)
            {
                ulong[]? touched = ChangeIndex.TouchedBy(e, change);
                _changes.Add(e.Header.Position, touched);
                if (touched is null || e.Payload is PolicySet)
                {
                    _pendingAll = wake = true;
                    continue;
                }
                foreach (ulong id in touched)
                {
                    wake = true;
                    _pendingViewers.Add(id);
                    _pendingPlaces.Add(PollPlace.Of(change.Before.FindNode(id)));
                    _pendingPlaces.Add(PollPlace.Of(change.After.FindNode(id)));
                }
            }
        }
        foreach (var e in change.Events)
            if (e.Payload is NodeDeleted deleted) Forget(deleted.Id);
        if (wake) ScheduleWaking();
    }

    private void OnPresenceChanged(ulong nodeId)
    {
        if (Runtime.State.FindNode(nodeId) is not { } node) return;
        lock (_pendingLock) _pendingPlaces.Add(PollPlace.Of(node));
        ScheduleWaking();
    }

    private void Forget(ulong nodeId)
    {
        Entries.Forget(nodeId);
        _applied.TryRemove(nodeId, out _);
        Runtime.Presence.Forget(nodeId);
    }

    private void ScheduleWaking()
    {
        lock (_pendingLock)
        {
            if (_waking) return;
            _waking = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(static hub => hub.WakeAll(), this, preferLocal: false);
    }

    private void WakeAll()
    {
        while (true)
        {
            HashSet<PollPlace> places;
            HashSet<ulong> viewers;
            bool all;
            lock (_pendingLock)
            {
                if (!_pendingAll && _pendingPlaces.Count == 0 && _pendingViewers.Count == 0)
                {
                    _waking = false;
                    return;
                }
                (places, _pendingPlaces) = (_pendingPlaces, []);
                (viewers, _pendingViewers) = (_pendingViewers, []);
                (all, _pendingAll) = (_pendingAll, false);
            }
            Wake(places, viewers, all);
        }
    }

    private void Wake(HashSet<PollPlace> places, HashSet<ulong> viewers, bool all)
    {
        var state = Runtime.State;
        List<PollSession> told;
        lock (_sessionLock)
        {
            told = all ? [.. _sessions.All] : [.. viewers.Select(_sessions.Find).OfType<PollSession>()];
            foreach (var session in told) _sessions.Refile(session, state.FindNode(session.NodeId));
            if (!all) _sessions.ListWhoSee(state.Policy.Program, places, told);
        }
        new WakeBatch(told).Start();
    }

    [LoggerMessage(EventId = 1101, Level = LogLevel.Error,
        Message = "In network {Network} the map of node {NodeId} is over {LimitBytes} bytes and was not sent; narrow the policy")]
    private static partial void LogViewTooLarge(ILogger logger, string network, ulong nodeId, int limitBytes);
}
