using System.IO.Pipelines;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;
using Mesh.Coordinator.Trust;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Map;

/// <summary>
/// One open poll. It holds a cursor, not a queue: told only that something changed, it computes what leads from what it
/// sent to what is now, once it can write. Ten changes while the reader was busy become one delta.
/// <code>
/// woken by      does
/// Changed       writes the difference, if there is one; moves the cursor
/// KeepAlive     writes a keepalive, or an empty delta when the log has moved on unseen (a newer head and token)
/// Reach         writes what peers asked for, at most one for each
/// Ended         writes why, and ends
/// Aborted       ends
/// </code>
/// </summary>
internal sealed class PollSession(MapHub hub, PresenceSession presenceSession, Endpoint observed, PipeWriter output, Action abort,
    RootIdentity? root = null, Action? close = null)
{
    /// <summary>Peers whose wish to be reached waits; a further one is dropped, and asks again.</summary>
    private const int MaxReaches = 64;

    private readonly AsyncSignal _signal = new();
    private readonly FrameWriter _writer = new(output, hub.Clock);
    private readonly Lock _reachLock = new();
    private readonly Dictionary<ulong, Reach> _reaches = [];
    private int _end;
    private long _lastWrite;
    private long _keepAliveAfterTicks;
    private MapCursor? _cursor;
    private NextRoot? _sentNextRoot;
    private long _tokenPosition;

    [Flags]
    private enum Wake
    {
        Changed = 1,
        KeepAlive = 2,
        Reach = 4,
        Ended = 8,
        Aborted = 16,
    }

    public ulong NodeId => presenceSession.NodeId;

    /// <summary>Where the hub files the session; guarded by the hub's lock.</summary>
    public PollPlace Place { get; set; }

    /// <summary>Where it stands among the sessions of its class; as <see cref="Place"/>.</summary>
    public int IndexInClass { get; set; }

    /// <summary>The root that the connection was opened under; null for one that does not matter.</summary>
    public RootIdentity? Root { get; } = root;

    /// <summary>Asks the node to come back over a new connection.</summary>
    public void Leave()
    {
        close?.Invoke();
        End(NoticeKind.Reconnect);
    }

    /// <summary>Something that the node may see changed. A session that sleeps looks on this thread, up to where it has to wait.</summary>
    public void Changed() => _signal.SetHere((int)Wake.Changed);

    public void Aborted() => Signal(Wake.Aborted);

    /// <summary>Ends the session with a notice; Unspecified ends it without. The first reason counts.</summary>
    public void End(NoticeKind why)
    {
        Interlocked.CompareExchange(ref _end, (int)why + 1, 0);
        Signal(Wake.Ended);
    }

    /// <summary>A peer asks the node to open a path. False when too many wait.</summary>
    public bool AskToReach(Reach reach)
    {
        lock (_reachLock)
        {
            if (_reaches.Count >= MaxReaches && !_reaches.ContainsKey(reach.NodeId)) return false;
            _reaches[reach.NodeId] = reach;
        }
        Signal(Wake.Reach);
        return true;
    }

    /// <summary>Once a second: sees to keepalives, and gives up on a reader that has taken nothing for too long.</summary>
    public void Tick()
    {
        if (_writer.StalledFor is { } stalled)
        {
            if (stalled > ControlLimits.PollSilence) abort();
            return;
        }
        if (hub.Clock.GetElapsedTime(Interlocked.Read(ref _lastWrite)).Ticks >= Interlocked.Read(ref _keepAliveAfterTicks))
            Signal(Wake.KeepAlive);
    }

    /// <summary>Runs until the poll ends.</summary>
    /// <param name="resumeFrom">What the node has, or null.</param>
    /// <param name="reset">The node has something that cannot be continued from.</param>
    public async Task RunAsync(MapCursor? resumeFrom, bool reset)
    {
        var frames = new MapFrames(_writer, hub.Entries, hub.Metrics);
        Wrote();
        var outcome = resumeFrom is null
            ? await WriteSnapshotAsync(frames, reset)
            : await WriteDeltaAsync(frames, resumeFrom, always: true);
        if (outcome == FrameOutcome.Written && presenceSession.TookOverFromOtherBoot)
            outcome = await NoticeAsync(frames, NoticeKind.DuplicateSession);
        while (outcome == FrameOutcome.Written)
        {
            outcome = await AnswerAsync(frames, (Wake)await _signal.WaitAsync());
        }
        if (outcome == FrameOutcome.TooLarge) hub.ViewTooLarge(NodeId);
    }

    private async ValueTask<FrameOutcome> AnswerAsync(MapFrames frames, Wake wakes)
    {
        if (wakes.HasFlag(Wake.Aborted)) return FrameOutcome.ReaderGone;
        if (wakes.HasFlag(Wake.Ended))
        {
            var why = (NoticeKind)(Volatile.Read(ref _end) - 1);
            if (why != NoticeKind.Unspecified) await NoticeAsync(frames, why);
            return FrameOutcome.ReaderGone;
        }
        var outcome = FrameOutcome.Written;
        if (wakes.HasFlag(Wake.Changed)) outcome = await WriteDeltaAsync(frames, _cursor!, always: false);
        if (outcome == FrameOutcome.Written && wakes.HasFlag(Wake.Reach)) outcome = await WriteReachesAsync(frames);
        if (outcome == FrameOutcome.Written && wakes.HasFlag(Wake.KeepAlive)) outcome = await KeepAliveAsync(frames);
        return outcome;
    }

    private async ValueTask<FrameOutcome> WriteSnapshotAsync(MapFrames frames, bool reset)
    {
        var presence = hub.Runtime.Presence.Current;
        var (state, head) = hub.Runtime.Current;
        var view = new MapView(state, NodeId);
        if (view.Viewer is null) return await RemovedAsync(frames, state);
        var snapshot = new Snapshot
        {
            ResumeToken = TokenFor(state, presence),
            Head = Certified(head),
            Self = view.Self(observed),
            Reset = reset,
            ServerTimeMs = hub.Clock.GetUtcNow().ToUnixTimeMilliseconds(),
            NextRoot = _sentNextRoot = hub.NextRootFor(Root),
        };
        return Moved(await frames.WriteSnapshotAsync(snapshot, view, presence), state, presence, written: true);
    }

    private async ValueTask<FrameOutcome> WriteDeltaAsync(MapFrames frames, MapCursor from, bool always)
    {
        // Presence first: a state at least as new as it knows every node that it speaks of.
        var presence = hub.Runtime.Presence.Current;
        var (state, head) = hub.Runtime.Current;
        var view = new MapView(state, NodeId);
        if (view.Viewer is null) return await RemovedAsync(frames, state);
        var difference = MapDifference.Between(
            from, state, presence, NodeId, hub.Entries, hub.TouchedBetween(from, state), hub.MovedBetween(from, presence));
        var nextRoot = hub.NextRootFor(Root);
        bool tellsRoot = nextRoot is not null && (always || !ReferenceEquals(nextRoot, _sentNextRoot));
        if (difference.IsEmpty && !always && !tellsRoot) return Moved(FrameOutcome.Written, state, presence, written: false);
        var delta = new Delta { ResumeToken = TokenFor(state, presence), Head = Certified(head) };
        if (tellsRoot) delta.NextRoot = _sentNextRoot = nextRoot;
        delta.Removals.AddRange(difference.Removals);
        if (difference.SelfChanged || always) delta.Self = view.Self(observed);
        return Moved(await frames.WriteDeltaAsync(delta, difference, view, presence), state, presence, written: true);
    }

    private async ValueTask<FrameOutcome> WriteReachesAsync(MapFrames frames)
    {
        Reach[] reaches;
        lock (_reachLock)
        {
            reaches = [.. _reaches.Values];
            _reaches.Clear();
        }
        var outcome = FrameOutcome.Written;
        foreach (var reach in reaches)
        {
            if (outcome != FrameOutcome.Written) break;
            outcome = await frames.WriteAsync(new MapFrame { Reach = reach });
        }
        return outcome;
    }

    private async ValueTask<FrameOutcome> KeepAliveAsync(MapFrames frames)
    {
        // Another frame may have gone out since the keepalive fell due.
        if (hub.Clock.GetElapsedTime(Interlocked.Read(ref _lastWrite)).Ticks < Interlocked.Read(ref _keepAliveAfterTicks))
            return FrameOutcome.Written;
        hub.Runtime.Presence.Seen(NodeId);
        if (hub.Runtime.State.Position > _tokenPosition) return await WriteDeltaAsync(frames, _cursor!, always: true);
        var frame = new MapFrame { KeepAlive = new KeepAlive { ServerTimeMs = hub.Clock.GetUtcNow().ToUnixTimeMilliseconds() } };
        var outcome = await frames.WriteAsync(frame);
        Wrote();
        return outcome;
    }

    private async ValueTask<FrameOutcome> RemovedAsync(MapFrames frames, NetworkState state)
    {
        bool expired = state.FindNode(NodeId) is { Approved: true, LoggedOut: false };
        await NoticeAsync(frames, expired ? NoticeKind.Expired : NoticeKind.Removed);
        return FrameOutcome.ReaderGone;
    }

    private static ValueTask<FrameOutcome> NoticeAsync(MapFrames frames, NoticeKind kind) =>
        frames.WriteAsync(new MapFrame { Notice = new Notice { Kind = kind } });

    private FrameOutcome Moved(FrameOutcome outcome, NetworkState state, PresenceView presence, bool written)
    {
        _cursor = MapCursor.Of(state, presence);
        if (written)
        {
            _tokenPosition = state.Position;
            Wrote();
        }
        return outcome;
    }

    private void Wrote()
    {
        Interlocked.Exchange(ref _keepAliveAfterTicks, hub.NextKeepAlive().Ticks);
        Interlocked.Exchange(ref _lastWrite, hub.Clock.GetTimestamp());
    }

    private ByteString TokenFor(NetworkState state, PresenceView presence) => hub.Token(NodeId, state, presence);

    private LogHead Certified(SignedHead head) => Root is null ? head.ToMessage() : Root.Certify(head.ToMessage());

    private void Signal(Wake wake) => _signal.Set((int)wake);
}
