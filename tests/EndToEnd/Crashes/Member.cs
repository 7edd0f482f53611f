using System.Net;
using Google.Protobuf;
using Mesh.Crypto;
using Mesh.Node.Control;
using Mesh.Node.State;
using Mesh.Node.Udp;
using Mesh.Protocol;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.EndToEnd.Crashes;

/// <summary>
/// A machine as the coordinator sees it: the node's own control client with real keys over real TLS, and no tunnel behind it.
/// It remembers what the coordinator acknowledged, and the newest map.
/// </summary>
internal sealed class Member(JoinLink link, string hostname, Func<double> random) : IControlEvents, IAsyncDisposable
{
    private readonly MachineIdentity _machine = MachineIdentity.CreateUnsaved();
    private readonly X25519PrivateKey _nodeKey = X25519PrivateKey.Generate();
    private readonly CancellationTokenSource _end = new();
    private ControlClient? _client;
    private ControlSession? _session;
    private Task _running = Task.CompletedTask;
    private NetworkMap? _map;
    private ControlStatus _status = ControlStatus.Initial;

    public string Hostname => hostname;

    public ByteString NodeKey { get; private set; } = ByteString.Empty;

    /// <summary>What the coordinator answered to the registration; null before it did.</summary>
    public RegisterResponse? Registered { get; private set; }

    public bool LoggedOut { get; private set; }

    public bool IsLive => Registered is not null && !LoggedOut;

    /// <summary>What this member says of where it is.</summary>
    public IPEndPoint? Endpoint { get; private set; }

    public NetworkMap? Map => Volatile.Read(ref _map);

    public ControlStatus Status => Volatile.Read(ref _status);

    /// <summary>Registers, again and again until the coordinator answers, and stays in touch from then on.</summary>
    public async Task RegisterAsync(string preAuthKey, CancellationToken cancel)
    {
        _client = new ControlClient(link, _machine, TimeProvider.System);
        NodeKey = ByteString.CopyFrom(_nodeKey.PublicKey.ToArray());
        var registration = await InsistAsync(
            () => Registrar.RegisterAsync(_client, _machine, _nodeKey, preAuthKey, hostname, TimeProvider.System, cancel), cancel);
        var join = new JoinInfo(
            link.Host, link.Port, link.Pin, link.Network!, registration.NetworkId, registration.Answer.NodeId, hostname, [],
            JoinInfo.DefaultMtu, WantUp: true);
        _session = new ControlSession(
            _client, _machine, new NodeKeys(_nodeKey), join, null, ControlSession.NewBootId(), this, TimeProvider.System, random, NullLogger.Instance);
        _running = _session.RunAsync(_end.Token);
        Registered = registration.Answer;
    }

    /// <summary>Says where it is. Its session sees to it that the coordinator hears of it, sooner or later.</summary>
    public void Report(IPEndPoint endpoint)
    {
        Endpoint = endpoint;
        _session!.Report(new NodeReport([(UdpEndpoint.From(endpoint), EndpointSource.Local)], endpoint.Port));
    }

    /// <summary>Leaves the network, again and again until the coordinator says that it did.</summary>
    public async Task LogOutAsync(CancellationToken cancel)
    {
        await InsistAsync(
            async () =>
            {
                try
                {
                    await _client!.LogoutAsync(cancel);
                }
                catch (ControlException e) when (e.ProblemType == ProblemType.NotRegistered)
                {
                    // The answer to an earlier try was lost; the log-out was not.
                }

                return true;
            },
            cancel);
        LoggedOut = true;
    }

    public void MapChanged(NetworkMap map, bool keep) => Volatile.Write(ref _map, map);

    public void StatusChanged(ControlStatus status) => Volatile.Write(ref _status, status);

    public void ReachAsked(Reach reach)
    {
    }


    void IControlEvents.PinsChanged(PinPair pins)
    {
    }

    void IControlEvents.Registered(Registration registration)
    {
    }

    public void Removed()
    {
    }

    public void Expired()
    {
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _client?.Dispose();
        _machine.Dispose();
        _nodeKey.Dispose();
        _end.Dispose();
    }

    /// <summary>A call that a dying or absent coordinator may leave without an answer is made again.</summary>
    private async Task<T> InsistAsync<T>(Func<Task<T>> call, CancellationToken cancel)
    {
        var backoff = new Backoff(random);
        while (true)
        {
            try
            {
                return await call();
            }
            catch (ControlException e) when (e.Failure is ControlFailure.Unreachable or ControlFailure.TimedOut
                || e.ProblemType is ProblemType.Busy or ProblemType.Unavailable or ProblemType.Challenge)
            {
                using var pause = new PeriodicTimer(backoff.Next(e.RetryAfter) + TimeSpan.FromMilliseconds(1));
                await pause.WaitForNextTickAsync(cancel);
            }
        }
    }
}
