using System.Collections.Concurrent;
using System.Net;
using Google.Protobuf;
using Mesh.Crypto;
using Mesh.Node.Cli;
using Mesh.Node.Control;
using Mesh.Node.Filter;
using Mesh.Node.Kernel;
using Mesh.Node.LocalApi;
using Mesh.Node.Paths;
using Mesh.Node.State;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Daemon;

/// <summary>What a runtime works with. It owns none of it.</summary>
/// <param name="LocalAddresses">Addresses of this host that peers may reach it at, now.</param>
/// <param name="Random">0 (in) to 1 (out), for backoff.</param>
internal sealed record RuntimeParts(
    StateDirectory State, ITunnel Tunnel, Func<IReadOnlyList<IPAddress>> LocalAddresses, TimeProvider Time, Func<double> Random, ILoggerFactory Logs);

/// <summary>
/// One node: what it joined, its session with the coordinator, its map and its tunnel, and the verbs that change them. Verbs
/// run one at a time under <c>_verbs</c>; what the session tells (another thread) is taken in under <c>_sync</c>. Order: _verbs
/// before _sync; a verb never holds _sync while it waits for the session's end.
/// </summary>
internal sealed partial class NodeRuntime : IControlEvents, IAsyncDisposable
{
    /// <summary>How long <c>mesh up</c> waits for the first map after it was registered.</summary>
    private static readonly TimeSpan FirstMapWait = TimeSpan.FromSeconds(10);

    /// <summary>After a change of keys that fell due and was refused.</summary>
    private static readonly TimeSpan RotationRetry = TimeSpan.FromHours(1);

    private readonly SemaphoreSlim _verbs = new(1, 1);
    private readonly Lock _sync = new();
    private readonly RuntimeParts _parts;
    private readonly ILogger _log;
    private readonly PathFinder _paths;
    private readonly MapSaver _saver;
    private readonly DropLog _drops;
    private readonly MachineIdentity _machine;
    private readonly NodeKeys _keys;
    private readonly ITimer _expiryTimer;
    private readonly ByteString _bootId = ControlSession.NewBootId();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<ulong, double> _latencies = new();

    // Under _sync:
    private JoinInfo? _join;
    private NetworkMap? _map;
    private FilterView _view = FilterView.Empty;
    private ControlStatus _control = ControlStatus.Initial;
    private DateTimeOffset? _nextExpiry;
    private bool _expired;
    private DateTimeOffset _nextRotation;
    private NodeReport? _reported;
    private TaskCompletionSource _firstMap = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Changed under both:
    private NodeSession? _session;

    /// <summary>Reads the state directory; touches neither tunnel nor network yet.</summary>
    /// <exception cref="UserException">The state directory is damaged.</exception>
    public NodeRuntime(RuntimeParts parts)
    {
        _parts = parts;
        _log = parts.Logs.CreateLogger<NodeRuntime>();
        _machine = MachineIdentity.LoadOrCreate(parts.State);
        _keys = new NodeKeys(parts.State);
        _join = JoinInfo.Load(parts.State);
        _map = _join is null ? null : LoadMap();
        _expiryTimer = parts.Time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _paths = new PathFinder(parts.Tunnel);
        _drops = new DropLog(parts.Logs.CreateLogger<DropLog>());
        _saver = new MapSaver(parts.State, parts.Time, parts.Logs.CreateLogger<MapSaver>());
    }

    /// <summary>Fails when something broke that nobody waits for; the daemon ends then.</summary>
    public Task Failed => _failed.Task;

    /// <summary>Brings up what was up when the daemon last ran, with the last map, whether or not the coordinator is there.</summary>
    public void Resume()
    {
        if (_join is not { WantUp: true } join) return;
        lock (_sync)
        {
            if (_map is not null) Apply(_map);
        }
        StartSession(join);
    }

    public async Task<UpAnswer> UpAsync(UpRequest request, CancellationToken cancel)
    {
        await _verbs.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var wish = JoinWish.From(request, _join, IsLapsed());
            UpAnswer answer;
            if (wish.NeedsRegistration)
            {
                await StopSessionAsync().ConfigureAwait(false);
                try
                {
                    answer = await RegisterAsync(wish, cancel).ConfigureAwait(false);
                }
                finally
                {
                    // Also after a failure: what was up before goes on.
                    if (_join is { WantUp: true } standing) StartSession(standing);
                }
            }
            else
            {
                var join = wish.Apply(_join!);
                join.Save(_parts.State);
                lock (_sync)
                {
                    _join = join;
                    if (_map is not null) Apply(_map);
                }
                if (_session is not { HasEnded: false })
                {
                    await StopSessionAsync().ConfigureAwait(false);
                    StartSession(join);
                }
                else Report(force: true);
                answer = Answer(join, _map?.Self.Name ?? join.Hostname, MapToTunnel.Addresses(_map?.Self.Addresses ?? []));
            }
            if (answer.ApprovalCode is null) await WaitForMapAsync(cancel).ConfigureAwait(false);
            return answer;
        }
        finally
        {
            _verbs.Release();
        }
    }

    public async Task DownAsync(CancellationToken cancel)
    {
        await _verbs.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            await StopSessionAsync().ConfigureAwait(false);
            lock (_sync)
            {
                if (_join is { WantUp: true })
                {
                    _join = _join with { WantUp = false };
                    _join.Save(_parts.State);
                }
                TakeDown();
            }
            _saver.Save();
        }
        finally
        {
            _verbs.Release();
        }
    }

    public async Task LogoutAsync(bool force, CancellationToken cancel)
    {
        await _verbs.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            if (_join is not { } join) throw NotJoined();
            try
            {
                using var client = new ControlClient(join.Link, _machine, _parts.Time, join.NextPin);
                await client.LogoutAsync(cancel).ConfigureAwait(false);
            }
            catch (ControlException e) when (e.ProblemType == ProblemType.NotRegistered)
            {
                // Gone already: that is what was wanted.
            }
            catch (ControlException e) when (!force)
            {
                var known = ControlErrors.Explain(e);
                throw new UserException(known.Code, known.Message,
                    "Try again later, or forget the network on this machine alone: mesh logout --force", e);
            }
            catch (ControlException e)
            {
                LogForcedLogout(e.Message);
            }
            await StopSessionAsync().ConfigureAwait(false);
            lock (_sync) Forget();
        }
        finally
        {
            _verbs.Release();
        }
    }

    /// <summary>Changes the node key now, or waits for the change that is under way. Returns the new public key.</summary>
    /// <param name="cancel">Ends the waiting; the change goes on.</param>
    public async Task<string> RotateAsync(CancellationToken cancel)
    {
        Task changed;
        lock (_sync)
        {
            if (_join is not { NodeId: not 0 }) throw NotJoined();
            if (_session is null) throw NotUp();
            changed = _session.ChangeKeyAsync(cancel);
        }
        await changed.ConfigureAwait(false);
        return _keys.Current.PublicKey.ToString();
    }

    public NodeStatus Status()
    {
        lock (_sync)
        {
            var view = new StatusView(_join, _map, _control, _session is not null, _keys.Current.PublicKey, _latencies, _view, _parts.Time.GetUtcNow());
            return StatusBuilder.Build(view, _parts.Tunnel, _paths);
        }
    }

    /// <summary>The peer of that name or address, and the addresses to ping it from and at.</summary>
    /// <exception cref="UserException">No such peer, or the tunnel is down.</exception>
    public (Peer Peer, IPAddress From, IPAddress To) Resolve(string host)
    {
        lock (_sync)
        {
            if (_join is null) throw NotJoined();
            if (_session is null || _map is null) throw NotUp();
            return PeerLookup.Find(_map, host);
        }
    }

    /// <summary>What this node's map and filter make of a connection with a peer.</summary>
    /// <exception cref="UserException">No such peer, or the tunnel is down.</exception>
    public WhyAnswer Why(WhyRequest request)
    {
        if (request.Protocol is < 1 or > byte.MaxValue || request.Port is < 0 or > ushort.MaxValue)
            throw new UserException(ExitCode.Usage, "no such protocol or port", "Protocols are 1 to 255, ports 0 to 65535.");
        lock (_sync)
        {
            if (_join is null) throw NotJoined();
            if (_session is null || _map is null) throw NotUp();
            return WhyExplainer.Explain(_map, _view, request);
        }
    }

    public void NoteLatency(ulong peer, double milliseconds) => _latencies[peer] = milliseconds;

    public PeerStatus? StatusOf(ulong peer) =>
        _map is { } map && map.Peers.TryGetValue(peer, out var entry)
            ? StatusBuilder.BuildPeer(entry, _parts.Tunnel, _paths, _latencies, _view, _parts.Time.GetUtcNow())
            : null;

    /// <summary>To be called now and then, and when the host's addresses changed: reports endpoints, ends expired peers, changes keys.</summary>
    public void Tick()
    {
        Report(force: false);
        lock (_sync)
        {
            var now = _parts.Time.GetUtcNow();
            if (_session is not null && _map is not null)
            {
                if (_nextExpiry <= now) Apply(_map);
                else AwaitExpiry(now);
            }
            if (_session is not null && _control.Phase == ControlPhase.Connected && _map is { } map && MapToTunnel.Time(map.Self.RotateKeyAtMs) <= now && now >= _nextRotation)
            {
                _nextRotation = now + RotationRetry;
                _session.ChangeKey();
            }
            _drops.Tell(_view, now);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _verbs.WaitAsync().ConfigureAwait(false);
        try
        {
            await StopSessionAsync().ConfigureAwait(false);
            await _expiryTimer.DisposeAsync().ConfigureAwait(false);
            await _saver.DisposeAsync().ConfigureAwait(false);
            _paths.Dispose();
            _machine.Dispose();
            _keys.Dispose();
        }
        finally
        {
            _verbs.Release();
        }
    }

    void IControlEvents.MapChanged(NetworkMap map, bool keep)
    {
        lock (_sync)
        {
            _map = map;
            _expired = false;
            Apply(map);
            _firstMap.TrySetResult();
        }
        _saver.Mark(map);
        if (keep) _saver.Save();
        Report(force: false);
    }

    void IControlEvents.ReachAsked(Reach reach) => _paths.ReachAsked(reach.NodeId, [.. reach.Endpoints.Select(WireEndpoint.FromWire)]);

    void IControlEvents.Registered(Registration registration)
    {
        lock (_sync)
        {
            _join = _join! with { NodeId = registration.Answer.NodeId, NetworkId = registration.NetworkId };
            _join.Save(_parts.State);
        }
    }

    void IControlEvents.Removed()
    {
        lock (_sync)
        {
            TakeDown();
            _map = null;
        }
        _saver.Forget();
    }

    void IControlEvents.Expired()
    {
        lock (_sync)
        {
            _expired = true;
            TakeDown();
        }
        // The next start must not bring up what has ended.
        _saver.Forget();
    }

    void IControlEvents.PinsChanged(PinPair pins)
    {
        lock (_sync)
        {
            _join = _join! with { Pin = pins.Present, NextPin = pins.Next };
            try
            {
                _join.Save(_parts.State);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Told again by the first frame of the next poll.
                LogPinsNotSaved(e.Message);
            }
        }
    }

    void IControlEvents.StatusChanged(ControlStatus status)
    {
        lock (_sync) _control = status;
    }

    private void ApplyKeys()
    {
        lock (_sync)
        {
            if (_session is not null && _map is not null) Apply(_map);
        }
    }

    private bool IsLapsed()
    {
        lock (_sync)
            return _expired || _control.Phase == ControlPhase.Removed || (_map is { } map && MapToTunnel.IsSelfExpired(map, _parts.Time.GetUtcNow()));
    }

    private static UserException NotJoined() => new(ExitCode.NotUp, "this machine is in no network", "Join one: mesh up LINK");

    private static UserException NotUp() => new(ExitCode.NotUp, "the tunnel is down", "Bring it up: mesh up");

    private static UpAnswer Answer(JoinInfo join, string name, IReadOnlyList<IPNetwork> addresses, string? code = null) =>
        new(join.Network, name, [.. addresses.Select(address => address.BaseAddress.ToString())], code);

    private NetworkMap? LoadMap()
    {
        var map = MapFile.Load(_parts.State, out string? damage);
        if (damage is not null) LogMapDamaged(damage);
        // A map of another key is of another membership.
        return map is not null && _keys.AreOurs(map.Self.NodeKey.Span) ? map : null;
    }

    private async Task<UpAnswer> RegisterAsync(JoinWish wish, CancellationToken cancel)
    {
        var link = wish.Link;
        try
        {
            using var client = new ControlClient(link, _machine, _parts.Time);
            var registration = await Registrar
                .RegisterAsync(client, _machine, _keys.Current, link.PreAuthKey ?? "", wish.Hostname, _parts.Time, cancel).ConfigureAwait(false);
            var answer = registration.Answer;
            var join = new JoinInfo(link.Host, link.Port, link.Pin, link.Network!, registration.NetworkId,
                answer.Status == RegistrationStatus.Registered ? answer.NodeId : 0, wish.Hostname, wish.Endpoints, wish.Mtu, WantUp: true);
            var addresses = MapToTunnel.Addresses(answer.Addresses);
            lock (_sync)
            {
                // Another id is another membership; what the old one knew is void.
                if (_map is not null && (_join is null || _join.NodeId != join.NodeId))
                {
                    _map = null;
                    _saver.Forget();
                }
                join.Save(_parts.State);
                _join = join;
                _control = ControlStatus.Initial;
                _expired = false;
                if (answer.Status == RegistrationStatus.Registered) _parts.Tunnel.BringUp(_keys.Current, _keys.Other, addresses, join.Mtu);
                else _control = _control with { Phase = ControlPhase.Pending, ApprovalCode = answer.ApprovalCode };
            }
            LogJoined(join.Network, answer.Status == RegistrationStatus.Registered ? answer.Name : "(pending)");
            return Answer(join, answer.Name, addresses, answer.Status == RegistrationStatus.Pending ? answer.ApprovalCode : null);
        }
        catch (ControlException e)
        {
            throw ControlErrors.Explain(e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException(ExitCode.StateUnusable, $"cannot write the state directory: {e.Message}",
                "Make room or rights there, then run the same command again: the link is still good.", e);
        }
    }

    private async Task WaitForMapAsync(CancellationToken cancel)
    {
        try
        {
            await _firstMap.Task.WaitAsync(FirstMapWait, _parts.Time, cancel).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // The machine is in; the map comes when it comes, and status tells.
        }
    }

    private void StartSession(JoinInfo join)
    {
        lock (_sync)
        {
            _session = new NodeSession(_parts, _machine, _keys, join, _map, _bootId, this, ApplyKeys);
            _reported = null;
            _firstMap = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (join.NodeId != 0) _control = ControlStatus.Initial;
            Report(force: true);
            _session.Start(_failed);
            // What a crash or a stop cut short.
            if (join.NodeId != 0 && _keys.IsChanging) _session.ChangeKey();
        }
    }

    private async Task StopSessionAsync()
    {
        NodeSession? session;
        lock (_sync) (session, _session) = (_session, null);
        if (session is not null) await session.DisposeAsync().ConfigureAwait(false);
    }

    // Under _sync.
    private void Apply(NetworkMap map)
    {
        var now = _parts.Time.GetUtcNow();
        try
        {
            if (_expired || MapToTunnel.IsSelfExpired(map, now))
            {
                _nextExpiry = null;
                TakeDown();
                return;
            }
            var peers = MapToTunnel.Peers(map, now);
            // Rights first: what was taken away must not live on because something else of the map can't be applied.
            _view = FilterView.Of(map, _view, now);
            _parts.Tunnel.Enforce(peers, _view);
            _parts.Tunnel.BringUp(_keys.Current, _keys.Other, MapToTunnel.Addresses(map.Self.Addresses), _join!.Mtu);
            _parts.Tunnel.SetPeers(peers, _view);
            _paths.SetPeers(MapToTunnel.Candidates(map, now));
            _nextExpiry = MapToTunnel.NextExpiry(map, now);
            AwaitExpiry(now);
        }
        catch (Exception e) when (e is KernelException or UserException)
        {
            // The map stands; the next one, or the next start, tries again.
            LogApplyFailed(e.Message);
        }
    }

    // Under _sync. To the moment, and not at the next tick; a far one comes nearer by ticks, and one whose timer was early is waited for again.
    private void AwaitExpiry(DateTimeOffset now)
    {
        if (_nextExpiry - now is { } wait && wait < TimeSpan.FromDays(1)) _expiryTimer.Change(wait + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
    }

    // Under _sync.
    private void TakeDown()
    {
        _view = FilterView.Empty;
        _paths.SetPeers(new Dictionary<ulong, IReadOnlyList<Udp.UdpEndpoint>>());
        _parts.Tunnel.TakeDown();
        _latencies.Clear();
    }

    // Under _sync.
    private void Forget()
    {
        TakeDown();
        (_map, _join, _control) = (null, null, ControlStatus.Initial);
        JoinInfo.Remove(_parts.State);
        _saver.Forget();
        _keys.Renew();
    }

    private void Report(bool force)
    {
        lock (_sync)
        {
            if (_session is null || _join is null) return;
            var observed = _map?.Self.Observed is { } seen ? new IPAddress(seen.Address.Span) : null;
            int port = _parts.Tunnel.ListenPort;
            var report = new NodeReport(OwnEndpoints.Collect(_join.StaticEndpoints, LocalAddresses(), observed, port), port);
            if (!force && _reported is { } before && before.ListenPort == port && before.Endpoints.SequenceEqual(report.Endpoints)) return;
            _reported = report;
            _session.Report(report);
        }
    }

    private IReadOnlyList<IPAddress> LocalAddresses()
    {
        try
        {
            return _parts.LocalAddresses();
        }
        catch (KernelException e)
        {
            // The next tick asks again; what was given and observed is still worth telling.
            LogNoLocalAddresses(e.Message);
            return [];
        }
    }

    [LoggerMessage(EventId = 2305, Level = LogLevel.Warning, Message = "This host's addresses could not be read: {Reason}")]
    private partial void LogNoLocalAddresses(string reason);

    [LoggerMessage(EventId = 2301, Level = LogLevel.Information, Message = "Joined network {Network} as {Name}")]
    private partial void LogJoined(string network, string name);

    [LoggerMessage(EventId = 2302, Level = LogLevel.Error, Message = "The map could not be applied to the tunnel: {Reason}")]
    private partial void LogApplyFailed(string reason);

    [LoggerMessage(EventId = 2303, Level = LogLevel.Warning, Message = "The stored map is damaged and not used: {Reason}. The coordinator will send another")]
    private partial void LogMapDamaged(string reason);

    [LoggerMessage(EventId = 2306, Level = LogLevel.Error, Message = "The coordinator's new pin could not be saved: {Reason}")]
    private partial void LogPinsNotSaved(string reason);

    [LoggerMessage(EventId = 2304, Level = LogLevel.Warning, Message = "Left the network without telling the coordinator: {Reason}")]
    private partial void LogForcedLogout(string reason);
}
