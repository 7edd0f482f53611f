using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Node.State;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Control;

/// <summary>
/// Keeps one joined node in touch with its coordinator, for as long as it runs.
/// <code>
///   phase       event                                   next
///   Connecting  poll opened, first frame applied        Connected
///   Connecting  fails                                   Connecting, after a backoff
///   Connected   poll ends, breaks, is silent for 75 s,  Connecting, after a backoff; a bad frame
///               or brings a frame that does not fit     drops the resume token: a snapshot comes
///   Pending     registered                              Connecting
///   any         "authorisation-ended", notice "expired" Expired: asks again every minute
///   Expired     poll opened, first frame applied        Connected
///   any         "not-registered", notice "removed"      Removed; the run ends
/// </code>
/// </summary>
internal sealed partial class ControlSession
{
    /// <summary>Two copies of one state directory would otherwise push each other out without a pause.</summary>
    private static readonly TimeSpan SupersededWait = TimeSpan.FromSeconds(60);

    /// <summary>Copies that both run are heard of once a wait; a session that heard of none for this long is the only one.</summary>
    private static readonly TimeSpan CopyGone = 3 * SupersededWait;
    private static readonly TimeSpan PendingRetry = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ExpiredRetry = TimeSpan.FromSeconds(60);

    private readonly ControlClient _client;
    private readonly MachineIdentity _machine;
    private readonly NodeKeys _keys;
    private readonly JoinInfo _join;
    private readonly IControlEvents _events;
    private readonly TimeProvider _time;
    private readonly Backoff _backoff;
    private readonly HeadMemory _heads;
    private readonly Reporter _reporter;
    private readonly ILogger _log;
    private NetworkMap? _map;
    private ByteString _resumeToken = ByteString.Empty;
    private ControlStatus _status = ControlStatus.Initial;
    private bool _superseded;
    private long _copySeen;
    private PinPair _pins;

    /// <param name="map">The last map known, or null.</param>
    /// <param name="bootId">16 bytes, one for each start of the daemon.</param>
    public ControlSession(
        ControlClient client, MachineIdentity machine, NodeKeys keys, JoinInfo join, NetworkMap? map, ByteString bootId,
        IControlEvents events, TimeProvider time, Func<double> random, ILogger log)
    {
        (_client, _machine, _keys, _join, _map, _events, _time, _log) = (client, machine, keys, join, map, events, time, log);
        BootId = bootId;
        _pins = client.Pins;
        _backoff = new Backoff(random);
        _heads = new HeadMemory(join.NetworkId, map?.Head);
        _reporter = new Reporter(client, bootId, _heads, time, new Backoff(random), log);
        if (map is not null) _resumeToken = map.ResumeToken;
    }

    public static ByteString NewBootId() => ByteString.CopyFrom(RandomNumberGenerator.GetBytes(ControlLimits.BootIdBytes));

    public ByteString BootId { get; }

    /// <summary>What is reported of this node from now on. From any thread.</summary>
    public void Report(NodeReport report) => _reporter.Set(report);

    /// <summary>Runs until cancelled, or until the coordinator says that this machine is no member.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var reports = _reporter.RunAsync(stop.Token);
        try
        {
            if (_join.NodeId == 0 && !await WaitForApprovalAsync(cancel).ConfigureAwait(false)) return;
            while (await PollOnceAsync(cancel).ConfigureAwait(false) is { } wait)
                await Task.Delay(wait, _time, cancel).ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await reports.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>How long to wait before the next poll; null when there is to be none.</returns>
    private async Task<TimeSpan?> PollOnceAsync(CancellationToken cancel)
    {
        try
        {
            var request = new MapRequest { Header = _client.Header(), ResumeToken = _resumeToken, BootId = BootId, KnownHead = _heads.Newest };
            _superseded = false;
            using var poll = await _client.OpenMapAsync(request, cancel).ConfigureAwait(false);
            NotePins();
            if (_client.CertificateFromTheFuture) Warn(ControlWarnings.ClockApart, on: true);
            string reason = await FollowAsync(poll, cancel).ConfigureAwait(false);
            if (_status.Phase == ControlPhase.Removed) return null;
            if (_status.Phase == ControlPhase.Expired) return _backoff.Next(ExpiredRetry);
            LogPollEnded(reason);
            ControlMetrics.PollEnded(null);
            Publish(_status with { Phase = ControlPhase.Connecting, LastError = reason });
            return _backoff.Next(_superseded ? SupersededWait : null);
        }
        catch (ControlException e)
        {
            if (e.ProblemType == ProblemType.NotRegistered)
            {
                BecomeRemoved();
                return null;
            }
            if (e.ProblemType == ProblemType.Expired)
            {
                BecomeExpired();
                return _backoff.Next(ExpiredRetry);
            }
            ControlMetrics.PollEnded(e.Failure);
            // A token that this coordinator can't read must not lock the node out.
            if (e.ProblemType == ProblemType.Malformed) _resumeToken = ByteString.Empty;
            if (_status.LastError != e.Message) LogConnectFailed(e.Message);
            Publish(_status with { Phase = _status.Phase == ControlPhase.Expired ? ControlPhase.Expired : ControlPhase.Connecting, LastError = e.Message });
            return _backoff.Next(e.RetryAfter);
        }
    }

    /// <returns>Why the poll is over, in words.</returns>
    private async Task<string> FollowAsync(MapPoll poll, CancellationToken cancel)
    {
        while (true)
        {
            var read = await poll.ReadAsync(cancel).ConfigureAwait(false);
            switch (read.Outcome)
            {
                case FrameOutcome.Frame:
                    if (Take(read.Frame!) is { } reason) return reason;
                    break;
                case FrameOutcome.End:
                    return _superseded ? "another session of this machine took over" : "the coordinator ended the poll";
                case FrameOutcome.Silent:
                    return $"the coordinator was silent for {ControlLimits.PollSilence.TotalSeconds} s";
                case FrameOutcome.Truncated:
                    return "the connection to the coordinator broke";
                case FrameOutcome.BadLength or FrameOutcome.Malformed:
                    _resumeToken = ByteString.Empty;
                    return "the coordinator sent something that is no map frame";
                default:
                    throw new InvalidOperationException($"unknown outcome {read.Outcome}");
            }
        }
    }

    /// <returns>Why the poll must end; null to read on.</returns>
    private string? Take(MapFrame frame)
    {
        if (frame.FrameCase != MapFrame.FrameOneofCase.Notice)
        {
            _superseded = false;
            if (_time.GetElapsedTime(_copySeen) > CopyGone) Warn(ControlWarnings.CopiedState, on: false);
        }
        switch (frame.FrameCase)
        {
            case MapFrame.FrameOneofCase.Snapshot:
                NoteTime(frame.Snapshot.ServerTimeMs);
                return Adopt(NetworkMap.Create(frame.Snapshot, out var whole), whole, frame.Snapshot.Peers) ?? TakeNextRoot(frame.Snapshot.NextRoot);
            case MapFrame.FrameOneofCase.Delta:
                if (_map is null) return Refuse(new(MapFaultKind.DeltaWithoutMap));
                return Adopt(_map.Apply(frame.Delta, out var next), next, _status.Phase == ControlPhase.Connected ? frame.Delta.Upserts : next?.Peers.Values ?? []) ?? TakeNextRoot(frame.Delta.NextRoot);
            case MapFrame.FrameOneofCase.KeepAlive:
                NoteTime(frame.KeepAlive.ServerTimeMs);
                // The answer to a token that is up to date may begin with a keepalive: the map is current.
                if (_map is not null) BecomeConnected();
                return null;
            case MapFrame.FrameOneofCase.Reach:
                if (_map is not null && _map.Peers.ContainsKey(frame.Reach.NodeId) && MapRules.AreEndpoints(frame.Reach.Endpoints))
                    _events.ReachAsked(frame.Reach);
                return null;
            case MapFrame.FrameOneofCase.Notice:
                return TakeNotice(frame.Notice.Kind);
            default:
                // A kind of a later version: it grants nothing and changes nothing.
                return null;
        }
    }

    /// <param name="news">The peers that the coordinator may wait for us to know: whose entries came, in the first frame of a poll all.</param>
    private string? Adopt(MapFault fault, NetworkMap? map, IEnumerable<Peer> news)
    {
        if (!fault.IsNone || map is null) return Refuse(fault);
        if (!_keys.AreOurs(map.Self.NodeKey.Span)) return Refuse(new(MapFaultKind.NotOurs, "self.node_key"));
        var before = _heads.Newest;
        switch (_heads.Judge(map.Head, _client.RootSpki))
        {
            case HeadJudgement.NotSigned:
                return Refuse(new(MapFaultKind.Head));
            case HeadJudgement.Fork:
                LogFork(before!.Position, map.Head.Position);
                Warn(ControlWarnings.LogFork, on: true);
                _reporter.Poke();
                break;
        }
        _map = map;
        _resumeToken = map.ResumeToken;
        ControlMetrics.FrameApplied();
        bool awaited = news.Any(peer => !peer.PreviousNodeKey.IsEmpty);
        _events.MapChanged(map, awaited);
        if (awaited) _reporter.Applied(map.Head.Position);
        BecomeConnected();
        return null;
    }

    private string? TakeNextRoot(NextRoot? next)
    {
        if (next is null || next.Pin.Span.SequenceEqual(_pins.Next.Span) || next.Pin.Span.SequenceEqual(_pins.Present.Span)) return null;
        if (!NextRoots.Verify(next, _client.RootSpki)) return Refuse(new(MapFaultKind.NextRoot));
        _client.Expect(next.Pin.ToByteArray());
        LogNextRoot();
        NotePins();
        return null;
    }

    private void NotePins()
    {
        var pins = _client.Pins;
        if (ReferenceEquals(pins, _pins)) return;
        if (!pins.Present.Span.SequenceEqual(_pins.Present.Span)) LogRootAdopted();
        _pins = pins;
        _events.PinsChanged(pins);
    }

    private string Refuse(MapFault fault)
    {
        ControlMetrics.FrameRefused(fault.Kind);
        LogFrameRefused(fault.ToString());
        _resumeToken = ByteString.Empty;
        return $"the coordinator sent a map that does not hold together: {fault}";
    }

    private string? TakeNotice(NoticeKind kind)
    {
        switch (kind)
        {
            case NoticeKind.DuplicateSession:
                if (!_status.Warnings.HasFlag(ControlWarnings.CopiedState)) LogCopiedState();
                Warn(ControlWarnings.CopiedState, on: true);
                _copySeen = _time.GetTimestamp();
                // Both sessions are told. The older one's poll ends now; the newer one's goes on.
                _superseded = true;
                return null;
            case NoticeKind.Reconnect:
                return "the coordinator asked to connect again";
            case NoticeKind.Removed:
                BecomeRemoved();
                return "removed from the network";
            case NoticeKind.Expired:
                BecomeExpired();
                return "the authorisation ended";
            default:
                return null;
        }
    }

    /// <returns>False when the machine was refused for good.</returns>
    private async Task<bool> WaitForApprovalAsync(CancellationToken cancel)
    {
        while (true)
        {
            TimeSpan wait;
            long asked = _time.GetTimestamp();
            try
            {
                // A held answer would leave the user without the code; so only those after it are.
                var registration = await Registrar
                    .RegisterAsync(_client, _machine, _keys.Current, "", _join.Hostname, _time, cancel, wait: _status.ApprovalCode is not null).ConfigureAwait(false);
                if (registration.Answer.Status == RegistrationStatus.Registered)
                {
                    _events.Registered(registration);
                    return true;
                }
                _backoff.Reset();
                bool first = _status.ApprovalCode is null;
                Publish(_status with { Phase = ControlPhase.Pending, LastError = null, ApprovalCode = registration.Answer.ApprovalCode });
                wait = (_time.GetElapsedTime(asked) < PendingRetry && !first ? PendingRetry : TimeSpan.Zero) + _backoff.Next();
                _backoff.Reset();
            }
            catch (ControlException e) when (e.ProblemType == ProblemType.NotRegistered)
            {
                BecomeRemoved();
                return false;
            }
            catch (ControlException e)
            {
                Publish(_status with { LastError = e.Message });
                wait = _backoff.Next(e.RetryAfter);
            }
            await Task.Delay(wait, _time, cancel).ConfigureAwait(false);
        }
    }

    private void NoteTime(long serverTimeMs)
    {
        if (serverTimeMs is <= 0 or > 253_402_300_799_999) return;
        var apart = (DateTimeOffset.FromUnixTimeMilliseconds(serverTimeMs) - _time.GetUtcNow()).Duration();
        bool far = apart > ControlLimits.ClockTolerance;
        if (far && !_status.Warnings.HasFlag(ControlWarnings.ClockApart)) LogClockApart((long)apart.TotalSeconds);
        Warn(ControlWarnings.ClockApart, far);
    }

    private void BecomeConnected()
    {
        _backoff.Reset();
        if (_status.Phase == ControlPhase.Connected) return;
        LogConnected(_map!.Head.Position, _map.Peers.Count);
        Publish(_status with { Phase = ControlPhase.Connected, LastError = null, ApprovalCode = null });
        _reporter.Poke();
    }

    private void BecomeRemoved()
    {
        LogRemoved();
        // Before it is shown: who reads the state may act on it.
        _events.Removed();
        Publish(_status with { Phase = ControlPhase.Removed, LastError = "this machine is no member of the network any more" });
    }

    private void BecomeExpired()
    {
        if (_status.Phase == ControlPhase.Expired) return;
        LogExpired();
        _resumeToken = ByteString.Empty;
        _events.Expired();
        Publish(_status with { Phase = ControlPhase.Expired, LastError = null });
    }

    private void Warn(ControlWarnings warning, bool on)
    {
        var warnings = on ? _status.Warnings | warning : _status.Warnings & ~warning;
        if (warnings != _status.Warnings) Publish(_status with { Warnings = warnings });
    }

    private void Publish(ControlStatus status)
    {
        if (status == _status) return;
        _status = status;
        _events.StatusChanged(status);
    }

    [LoggerMessage(EventId = 2001, Level = LogLevel.Information, Message = "Connected to the coordinator: position {Position}, {Peers} peers")]
    private partial void LogConnected(ulong position, int peers);

    [LoggerMessage(EventId = 2002, Level = LogLevel.Warning, Message = "No contact with the coordinator: {Reason}. Tunnels go on with the last map")]
    private partial void LogConnectFailed(string reason);

    [LoggerMessage(EventId = 2003, Level = LogLevel.Information, Message = "Poll ended: {Reason}")]
    private partial void LogPollEnded(string reason);

    [LoggerMessage(EventId = 2004, Level = LogLevel.Error, Message = "Frame refused, the map stays as it was: {Fault}")]
    private partial void LogFrameRefused(string fault);

    [LoggerMessage(EventId = 2005, Level = LogLevel.Error,
        Message = "The network's log has forked or gone back: remembered position {Remembered}, received {Received}. The two heads are reported")]
    private partial void LogFork(ulong remembered, ulong received);

    [LoggerMessage(EventId = 2006, Level = LogLevel.Error,
        Message = "Another machine runs with a copy of this state directory. Remove one of the copies and join that machine anew")]
    private partial void LogCopiedState();

    [LoggerMessage(EventId = 2007, Level = LogLevel.Warning, Message = "This clock and the coordinator's are {Seconds} s apart. Set the clock")]
    private partial void LogClockApart(long seconds);

    [LoggerMessage(EventId = 2009, Level = LogLevel.Information, Message = "The coordinator's root named the root that will follow it")]
    private partial void LogNextRoot();

    [LoggerMessage(EventId = 2010, Level = LogLevel.Warning, Message = "The coordinator's next root took over, as announced; the one before is trusted no longer")]
    private partial void LogRootAdopted();

    [LoggerMessage(EventId = 2011, Level = LogLevel.Error, Message = "This machine's authorisation has ended. Let it in again: mesh up LINK, or mesh up and an administrator's approval")]
    private partial void LogExpired();

    [LoggerMessage(EventId = 2008, Level = LogLevel.Error, Message = "This machine is no member of the network any more. Join again with a link")]
    private partial void LogRemoved();
}
