using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Registration;
using Mesh.Coordinator.Trust;
using Mesh.Protocol;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// A coordinator at work: its state directory, keys and networks, and listeners that share nothing but those: the node
/// API over TLS, and the admin API on a unix socket and, when asked for, over TLS. Each is a web host of its own, so that no
/// path of one can be reached through the other, and strangers cannot use up what the socket needs.
/// </summary>
internal sealed partial class CoordinatorServer : IAsyncDisposable
{
    private const string TokenKeyFile = "token.key";

    /// <summary>What polls get to say goodbye in.</summary>
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly StateDirectory _state;
    private readonly CoordinatorKeys _keys;
    private readonly NetworkSet _networks;
    private readonly ChallengeTable _challenges;
    private readonly PreviousKeyRetirement _retirement;
    private readonly CoordinatorMetrics _metrics;
    private readonly WebApplication _nodeApi;
    private readonly IReadOnlyList<WebApplication> _adminApis;

    private CoordinatorServer(
        StateDirectory state, CoordinatorKeys keys, NetworkSet networks, ChallengeTable challenges,
        PreviousKeyRetirement retirement, CoordinatorMetrics metrics, WebApplication nodeApi, IReadOnlyList<WebApplication> adminApis,
        IPEndPoint endPoint, IPEndPoint? adminEndPoint, AdminTokens tokens)
    {
        (_state, _keys, _networks, _challenges, _retirement, _metrics, _nodeApi, _adminApis, EndPoint, AdminEndPoint) =
            (state, keys, networks, challenges, retirement, metrics, nodeApi, adminApis, endPoint, adminEndPoint);
        Tokens = tokens;
    }

    /// <summary>Where nodes reach it; the real port when 0 was asked for.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Where the admin API is served over the network; null when it is not.</summary>
    public IPEndPoint? AdminEndPoint { get; }

    public NetworkSet Networks => _networks;

    public CoordinatorKeys Keys => _keys;

    public AdminTokens Tokens { get; }

    /// <summary>Every address of the admin API.</summary>
    public IEnumerable<EndpointDataSource> AdminEndpoints => ((IEndpointRouteBuilder)_adminApis[0]).DataSources;

    public string AdminSocket => _state.AdminSocket;

    /// <summary>Opens everything and serves. Whatever fails leaves nothing behind.</summary>
    /// <param name="configureLogging">The caller's choice of where logs go; the levels are set here.</param>
    /// <exception cref="StartFailure">With what to do about it.</exception>
    public static async Task<CoordinatorServer> StartAsync(
        ServeOptions options, TimeProvider clock, Action<ILoggingBuilder> configureLogging)
    {
        var opened = new Stack<object>();
        try
        {
            var loggers = LoggerFactory.Create(logging => Logging(logging, configureLogging));
            opened.Push(loggers);
            var state = Opened(opened, StateDirectory.Open(options.StateDirectory));
            BackupWriter.ClearLeftovers(state);
            var log = loggers.CreateLogger<CoordinatorServer>();
            if (state.WasTightened) LogTightened(log, state.Path);
            var keys = Opened(opened, CoordinatorKeys.Open(state, clock, loggers.CreateLogger<CoordinatorKeys>()));
            var tokens = AdminTokens.Open(state, clock, loggers.CreateLogger<AdminTokens>());
            var metrics = Opened(opened, new CoordinatorMetrics());
            var challenges = Opened(opened, new ChallengeTable(clock));
            var retirement = Opened(opened, new PreviousKeyRetirement(clock, loggers.CreateLogger<PreviousKeyRetirement>()));
            var directory = new NetworkDirectory(state.Networks, keys.Log, clock, loggers.CreateLogger<NetworkRuntime>());
            byte[] tokenKey = TokenKey(state);
            var waiting = new WaitingRoom(HKDF.DeriveKey(HashAlgorithmName.SHA256, tokenKey, ResumeToken.KeyBytes, info: "mesh approval codes"u8.ToArray()), clock);
            var networks = Opened(opened, new NetworkSet(
                directory, keys, retirement, waiting, tokenKey, clock, metrics, loggers.CreateLogger<MapHub>()));
            await networks.OpenAllAsync();

            int perSecond = options.RequestsPerSecondPerAddress;
            var pipeline = new NodeApiPipeline(
                [
                    .. new RegistrationCalls(networks, challenges, retirement, waiting, clock).Calls,
                    .. new MapCalls(networks, keys, new ForkWatch(loggers.CreateLogger<ForkWatch>()), new HostFactGate(clock)).Calls,
                ],
                new AddressRateLimiter(clock, perSecond, 4 * perSecond), new AddressRateLimiter(clock, perSecond, 4 * perSecond),
                metrics, loggers.CreateLogger<NodeApiPipeline>());

            var nodeApi = Opened(opened, BuildNodeApi(options, keys, clock, pipeline, configureLogging));
            await StartAsync(nodeApi, options.Listen.ToString(), "--listen");
            var endPoint = BoundTo(nodeApi, options.Listen);
            var links = new JoinLinks(() => keys.Pin, options.PublicHost, endPoint);
            JoinLinks? adminLinks = null;
            var admin = new AdminContext(state, networks, waiting, keys, tokens, links, () => adminLinks?.Address, clock);
            var adminApi = Opened(opened, BuildAdminApi(
                admin, null, kestrel => AdminListener.Configure(kestrel, state.AdminSocket), loggers, configureLogging));
            List<WebApplication> adminApis = [adminApi];
            IPEndPoint? adminEndPoint = null;
            if (options.AdminListen is { } adminListen)
            {
                var handshakes = new AddressRateLimiter(clock, AdminGate.RequestsPerSecond, 4 * AdminGate.RequestsPerSecond);
                var remoteApi = Opened(opened, BuildAdminApi(
                    admin, new AdminGate(tokens, clock), kestrel => AdminTlsListener.Configure(kestrel, adminListen, keys, handshakes), loggers,
                    configureLogging));
                adminApis.Add(remoteApi);
                await StartAsync(remoteApi, adminListen.ToString(), "--admin-listen");
                adminEndPoint = BoundTo(remoteApi, adminListen);
                adminLinks = JoinLinks.ForAdmin(() => keys.Pin, options.PublicHost, adminEndPoint);
                LogServingAdmin(log, adminEndPoint, adminLinks.Address);
            }
            File.Delete(state.AdminSocket);
            await StartAsync(adminApi, state.AdminSocket, "--state-dir");
            File.SetUnixFileMode(state.AdminSocket, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            LogServing(log, endPoint, links.Address, networks.All.Count);
            return new CoordinatorServer(state, keys, networks, challenges, retirement, metrics, nodeApi, adminApis, endPoint, adminEndPoint, tokens);
        }
        catch
        {
            while (opened.TryPop(out var thing)) await CloseAsync(thing);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _networks.Stop();
        using (var timeout = new CancellationTokenSource(StopTimeout))
        {
            foreach (var api in _adminApis) await api.StopAsync(timeout.Token);
            await _nodeApi.StopAsync(timeout.Token);
        }
        foreach (object thing in _adminApis.Concat(new object[] { _nodeApi, _networks, _retirement, _challenges, _metrics, _keys }))
            await CloseAsync(thing);
        File.Delete(_state.AdminSocket);
        _state.Dispose();
    }

    private static WebApplication BuildNodeApi(
        ServeOptions options, CoordinatorKeys keys, TimeProvider clock, NodeApiPipeline pipeline, Action<ILoggingBuilder> configureLogging)
    {
        var builder = Builder(configureLogging);
        int perSecond = options.RequestsPerSecondPerAddress;
        var handshakes = new AddressRateLimiter(clock, perSecond, 4 * perSecond);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration()
            .ConfigureKestrel(kestrel => NodeListener.Configure(kestrel, options, keys, handshakes));
        var app = builder.Build();
        app.Run(pipeline.HandleAsync);
        return app;
    }

    private static WebApplication BuildAdminApi(
        AdminContext admin, AdminGate? gate, Action<KestrelServerOptions> listen, ILoggerFactory loggers, Action<ILoggingBuilder> configureLogging)
    {
        var builder = Builder(configureLogging);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(listen);
        builder.Services.AddRoutingCore();
        var app = builder.Build();
        AdminApi.Map(app, admin, gate, loggers.CreateLogger<AdminContext>());
        return app;
    }

    private static WebApplicationBuilder Builder(Action<ILoggingBuilder> configureLogging)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        Logging(builder.Logging, configureLogging);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopTimeout);
        return builder;
    }

    private static void Logging(ILoggingBuilder logging, Action<ILoggingBuilder> configure)
    {
        logging.SetMinimumLevel(LogLevel.Information);
        // What the web server says of single requests and connections is up to strangers.
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error);
        // A host that does not start is said by whoever starts it.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        configure(logging);
    }

    private static async Task StartAsync(WebApplication app, string where, string option)
    {
        try
        {
            await app.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or AddressInUseException or UnauthorizedAccessException)
        {
            bool taken = e is AddressInUseException || e.InnerException is AddressInUseException
                or SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse };
            throw new StartFailure(ExitCode.AddressUnusable,
                taken ? $"{where} is taken by another program" : $"cannot listen on {where}: {e.Message}",
                $"choose another address with {option}, or stop the other program", e);
        }
    }

    private static IPEndPoint BoundTo(WebApplication app, IPEndPoint asked)
    {
        string address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new IPEndPoint(asked.Address, new Uri(address).Port);
    }

    // Resume tokens stay good over a restart, so their key is kept.
    private static byte[] TokenKey(StateDirectory state)
    {
        if (state.TryRead(TokenKeyFile) is { Length: ResumeToken.KeyBytes } key) return key;
        key = RandomNumberGenerator.GetBytes(ResumeToken.KeyBytes);
        state.Write(TokenKeyFile, key);
        return key;
    }

    private static T Opened<T>(Stack<object> opened, T thing)
        where T : class
    {
        opened.Push(thing);
        return thing;
    }

    private static async ValueTask CloseAsync(object thing)
    {
        if (thing is IAsyncDisposable later) await later.DisposeAsync();
        else if (thing is IDisposable now) now.Dispose();
    }

    [LoggerMessage(EventId = 1002, Level = LogLevel.Information, Message = "Serving nodes on {EndPoint} as {Address}, {Networks} network(s)")]
    private static partial void LogServing(ILogger logger, IPEndPoint endPoint, string address, int networks);

    [LoggerMessage(EventId = 1004, Level = LogLevel.Information, Message = "Serving administrators on {EndPoint} as {Address}")]
    private static partial void LogServingAdmin(ILogger logger, IPEndPoint endPoint, string address);

    [LoggerMessage(EventId = 1003, Level = LogLevel.Warning, Message = "The state directory {Path} was open to others; it is 0700 now")]
    private static partial void LogTightened(ILogger logger, string path);
}
