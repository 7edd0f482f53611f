using System.Net.Sockets;
using System.Text.Json;
using Mesh.Node.Cli;
using Mesh.Node.Daemon;
using Mesh.Node.Ping;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.LocalApi;

/// <summary>Answers the verbs of the command line on the daemon's unix socket.</summary>
internal sealed partial class LocalServer(NodeRuntime runtime, Pinger pinger, string path, TimeProvider time, ILogger log) : IAsyncDisposable
{
    /// <summary>Conversations at a time; a further one waits in the listen queue.</summary>
    private const int MaxConversations = 16;
    private static readonly TimeSpan RequestPatience = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _free = new(MaxConversations, MaxConversations);
    private readonly CancellationTokenSource _stop = new();
    private readonly ILogger _log = log;
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;

    /// <summary>Ends with an error when the socket can't be served any more.</summary>
    public Task Completion => _accepting;

    /// <exception cref="UserException">The socket can't be had.</exception>
    public void Start()
    {
        _listener = LocalSocket.Listen(path);
        _accepting = AcceptAsync(_listener, _stop.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_listener is not null)
        {
            await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            File.Delete(path);
            _listener.Dispose();
        }
        // Conversations under way are cut by the token; each gives its place back.
        for (int i = 0; i < MaxConversations; i++) await _free.WaitAsync().ConfigureAwait(false);
        _stop.Dispose();
        _free.Dispose();
    }

    private async Task AcceptAsync(Socket listener, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            await _free.WaitAsync(cancel).ConfigureAwait(false);
            Socket? accepted = null;
            try
            {
                accepted = await listener.AcceptAsync(cancel).ConfigureAwait(false);
            }
            finally
            {
                if (accepted is null) _free.Release();
            }
            _ = ConverseAsync(accepted, cancel);
        }
    }

    private async Task ConverseAsync(Socket socket, CancellationToken cancel)
    {
        try
        {
            using var channel = new LineChannel(socket);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            var answer = await AnswerAsync(channel, end).ConfigureAwait(false);
            await channel.WriteAsync(LocalJson.Default.LocalAnswer, answer, cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went away, or we do.
        }
#pragma warning disable CA1031 // One conversation's defect must not end the daemon; it is logged with its trace.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogDefect(e);
        }
        finally
        {
            _free.Release();
        }
    }

    private async Task<LocalAnswer> AnswerAsync(LineChannel channel, CancellationTokenSource end)
    {
        try
        {
            LocalRequest? request;
            using (var patience = new CancellationTokenSource(RequestPatience, time))
            using (var both = CancellationTokenSource.CreateLinkedTokenSource(end.Token, patience.Token))
                request = await channel.ReadAsync(LocalJson.Default.LocalRequest, LineChannel.MaxRequestBytes, both.Token).ConfigureAwait(false);
            if (request is null) throw new IOException("nothing asked");
            // A client that goes away takes its request back.
            _ = channel.WaitForEndAsync(end.Token).ContinueWith(_ => Cancel(end), TaskScheduler.Default);
            return await DoAsync(request, channel, end.Token).ConfigureAwait(false);
        }
        catch (UserException e)
        {
            return Error(e.Code, e.Message, e.Next);
        }
        catch (JsonException)
        {
            return Error(ExitCode.Usage, "the daemon does not understand this request", "Use the mesh of the daemon's version.");
        }
    }

    private async Task<LocalAnswer> DoAsync(LocalRequest request, LineChannel channel, CancellationToken cancel)
    {
        switch (request)
        {
            case { Verb: LocalRequest.StatusVerb }:
                return new(Done: new DoneAnswer(Status: runtime.Status()));
            case { Verb: LocalRequest.UpVerb, Up: { } up }:
                return new(Done: new DoneAnswer(Up: await runtime.UpAsync(up, cancel).ConfigureAwait(false)));
            case { Verb: LocalRequest.DownVerb }:
                await runtime.DownAsync(cancel).ConfigureAwait(false);
                return new(Done: new DoneAnswer());
            case { Verb: LocalRequest.RotateVerb }:
                return new(Done: new DoneAnswer(Rotate: new RotateAnswer(await runtime.RotateAsync(cancel).ConfigureAwait(false))));
            case { Verb: LocalRequest.LogoutVerb, Logout: { } logout }:
                await runtime.LogoutAsync(logout.Force, cancel).ConfigureAwait(false);
                return new(Done: new DoneAnswer());
            case { Verb: LocalRequest.WhyVerb, Why: { } why }:
                return new(Done: new DoneAnswer(Why: runtime.Why(why)));
            case { Verb: LocalRequest.PingVerb, Ping: { } ping }:
                await foreach (var reply in pinger.PingAsync(ping, cancel).ConfigureAwait(false))
                    await channel.WriteAsync(LocalJson.Default.LocalAnswer, new LocalAnswer(Reply: reply), cancel).ConfigureAwait(false);
                return new(Done: new DoneAnswer());
            default:
                throw new JsonException("no such verb");
        }
    }

    private static LocalAnswer Error(ExitCode code, string what, string? next) => new(Error: new ErrorAnswer(code, what, next));

    private static void Cancel(CancellationTokenSource end)
    {
        try
        {
            end.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The conversation was over before.
        }
    }

    [LoggerMessage(EventId = 2401, Level = LogLevel.Error, Message = "A request on the local socket failed by a defect")]
    private partial void LogDefect(Exception exception);
}
