using Google.Protobuf;
using Mesh.Node.Cli;
using Mesh.Node.Control;
using Mesh.Node.State;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Daemon;

/// <summary>
/// One time of being up: the client, the control session over it, and the change of keys under way. They end together. Calls
/// come one at a time, from under the owner's lock; what is awaited goes on outside of it.
/// </summary>
internal sealed partial class NodeSession : IAsyncDisposable
{
    private readonly RuntimeParts _parts;
    private readonly MachineIdentity _machine;
    private readonly NodeKeys _keys;
    private readonly Action _keysChanged;
    private readonly ILogger _log;
    private readonly ControlClient _client;
    private readonly ControlSession _control;
    private readonly CancellationTokenSource _end = new();
    private Task _run = Task.CompletedTask;
    private KeyRotation? _rotation;
    private Task<UserException?> _rotating = Task.FromResult<UserException?>(null);

    /// <param name="map">The last map known, or null.</param>
    /// <param name="bootId">One for each start of the daemon.</param>
    /// <param name="keysChanged">Called, on any thread, after each step that changes which keys are used or answered.</param>
    public NodeSession(
        RuntimeParts parts, MachineIdentity machine, NodeKeys keys, JoinInfo join, NetworkMap? map, ByteString bootId, IControlEvents events, Action keysChanged)
    {
        (_parts, _machine, _keys, _keysChanged) = (parts, machine, keys, keysChanged);
        _log = parts.Logs.CreateLogger<NodeSession>();
        _client = new ControlClient(join.Link, machine, parts.Time, join.NextPin);
        _control = new ControlSession(_client, machine, keys, join, map, bootId, events, parts.Time, parts.Random, parts.Logs.CreateLogger<ControlSession>());
    }

    /// <summary>The coordinator wants no more of this machine, or the session was never started.</summary>
    public bool HasEnded => _run.IsCompleted;

    public void Report(NodeReport report) => _control.Report(report);

    /// <param name="failed">Gets what ended the session though nobody asked for it.</param>
    public void Start(TaskCompletionSource failed) => _run = RunAsync(failed);

    /// <summary>Begins a change of the node key, unless one is under way.</summary>
    public void ChangeKey()
    {
        if (!_rotating.IsCompleted) return;
        _rotation = new KeyRotation(_client, _machine, _keys, _keysChanged, _parts.Time, new Backoff(_parts.Random), _parts.Logs.CreateLogger<KeyRotation>());
        _rotating = RotateAsync(_rotation);
    }

    /// <summary>Begins a change of the node key, or joins the one under way, and waits for its end or for a first failure.</summary>
    /// <param name="cancel">Ends the waiting; the change goes on.</param>
    /// <exception cref="UserException">The key was not changed, or not yet.</exception>
    public async Task ChangeKeyAsync(CancellationToken cancel)
    {
        ChangeKey();
        var (rotation, rotating) = (_rotation!, _rotating);
        await Task.WhenAny(rotating, rotation.FirstFailure).WaitAsync(cancel).ConfigureAwait(false);
        if (!rotating.IsCompleted)
        {
            var known = ControlErrors.Explain(await rotation.FirstFailure.ConfigureAwait(false));
            throw new UserException(known.Code, known.Message, "The old key stays in use; the change is made by itself once the coordinator answers.", known);
        }
        if (await rotating.ConfigureAwait(false) is { } error) throw error;
    }

    /// <summary>Ends everything and waits for it. No call may come any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync().ConfigureAwait(false);
        await _run.ConfigureAwait(false);
        await _rotating.ConfigureAwait(false);
        _end.Dispose();
        _client.Dispose();
    }

    private async Task RunAsync(TaskCompletionSource failed)
    {
        try
        {
            // Off this thread: a verb holds locks that the session's first event wants.
            await Task.Run(() => _control.RunAsync(_end.Token), _end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // Stopped by a verb.
        }
#pragma warning disable CA1031 // Whatever ends a session unasked ends the daemon, which a supervisor starts again.
        catch (Exception e)
#pragma warning restore CA1031
        {
            failed.TrySetException(e);
        }
    }

    /// <returns>Why it could not be done; null when it was.</returns>
    private async Task<UserException?> RotateAsync(KeyRotation rotation)
    {
        try
        {
            // Off this thread, whose locks the change wants.
            await Task.Run(() => rotation.RunAsync(_end.Token), _end.Token).ConfigureAwait(false);
            return null;
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            return new UserException(ExitCode.Failed, "the change of the node key was interrupted", "It goes on when the tunnel is up: mesh up");
        }
        catch (ControlException e)
        {
            LogNotRotated(e.Message);
            return ControlErrors.Explain(e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotRotated(e.Message);
            return new UserException(ExitCode.StateUnusable, $"cannot write the state directory: {e.Message}", "Make room or rights there; the old key stays in use.", e);
        }
    }

    [LoggerMessage(EventId = 2307, Level = LogLevel.Error, Message = "The node key could not be changed: {Reason}")]
    private partial void LogNotRotated(string reason);
}
