using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Presence;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Network;

/// <summary>
/// A network at work: holds its newest durable state, and is the one place through which this process changes it. Thread-safe.
/// <code>
///   ExecuteAsync ─▶ queue ─▶ writer thread: 1 take all that wait
///                                           2 decide each, folding as it goes
///                                           3 append all in one durable step   ── conflict: catch up, go to 2
///                                           4 publish state and head, raise StateChanged
///                                           5 settle the callers
/// </code>
/// While step 3 waits for the disk, the next commands gather: that is the group commit. Other writers may share the log.
/// </summary>
public sealed partial class NetworkRuntime : IAsyncDisposable
{
    /// <summary>Commands that wait. Beyond it, callers wait to hand theirs in.</summary>
    public const int QueueCapacity = 4096;

    /// <summary>Commands in one durable step.</summary>
    public const int MaxBatch = 512;

    private readonly EventLog _log;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Channel<PendingCommand?> _queue = Channel.CreateBounded<PendingCommand?>(
        new BoundedChannelOptions(QueueCapacity) { SingleReader = true });

    private readonly RuntimeSizes _sizes;
    private readonly RecentStates _states;
    private readonly RecentCommands _commands;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _writer;
    private IDisposable? _subscription;
    private volatile Published _published;
    private int _disposed;

    private NetworkRuntime(
        EventLog log, Published published, RecentStates states, RecentCommands commands, RuntimeSizes sizes,
        NetworkPresence presence, TimeProvider time, ILogger logger)
    {
        _log = log;
        _states = states;
        _sizes = sizes;
        _commands = commands;
        _time = time;
        _logger = logger;
        _published = published;
        Presence = presence;
        // A thread of its own: a disk that takes its time must not hold one of the pool's few.
        _writer = new Thread(Write) { IsBackground = true, Name = $"log {published.State.Name}" };
    }

    /// <summary>Raised on the writer's thread after each change is durable, in order. Handlers return at once.</summary>
    public event Action<StateChange>? StateChanged;

    public string Name => State.Name;

    public NetworkId Id => State.Id;

    /// <summary>The newest durable state.</summary>
    public NetworkState State => _published.State;

    /// <summary>The newest signed head. To have it for the very state, read <see cref="Current"/>.</summary>
    public SignedHead Head => _published.Head;

    /// <summary>The newest durable state and the head that is signed for its position.</summary>
    public (NetworkState State, SignedHead Head) Current
    {
        get
        {
            var published = _published;
            return (published.State, published.Head);
        }
    }

    public NetworkPresence Presence { get; }

    /// <summary>
    /// Ends with <see cref="DisposeAsync"/>, or faults when the store failed so that nobody knows what is durable: the process
    /// must end then, and its next start reads what is really there.
    /// </summary>
    public Task Completion => _completion.Task;

    /// <summary>
    /// Runs a command and completes once its outcome is durable. Throws <see cref="CommandRefusedException"/> when the state
    /// does not allow it, <see cref="LogStoreException"/> when it could not be stored.
    /// </summary>
    /// <param name="key">The intent: a second command under the same key gets the first one's result and changes nothing.</param>
    /// <param name="cancellationToken">
    /// Before the command is taken up, it is dropped. After that only the waiting ends, and the outcome is unknown: repeat the
    /// command under the same key to learn it.
    /// </param>
    public async ValueTask<TResult> ExecuteAsync<TResult>(
        ICommand<TResult> command, Actor actor, IdempotencyKey key, CancellationToken cancellationToken = default)
    {
        var pending = new PendingCommand<TResult>(command, actor, key, cancellationToken);
        try
        {
            await _queue.Writer.WriteAsync(pending, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            await Completion.ConfigureAwait(false); // Throws what stopped the writer.
            throw new ObjectDisposedException(nameof(NetworkRuntime));
        }

        return await pending.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// A state that this network had, for a node that resumes from there. Null when the log has another hash there, never got
    /// there, or the state is too old to be at hand: the node gets a snapshot then.
    /// </summary>
    public NetworkState? StateAt(LogPoint point) => State.Point == point ? State : _states.Find(point);

    /// <summary>Every event from the first on, read from the store and checked.</summary>
    public async IAsyncEnumerable<NetworkEvent> ReadLogAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var entry in _log.ReadAfterAsync(LogPoint.Start, cancellationToken).ConfigureAwait(false))
            yield return NetworkEvent.Decode(entry);
    }

    /// <summary>Takes no more commands, finishes those taken, closes the log.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _subscription?.Dispose();
        _queue.Writer.TryComplete();
        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // Whoever watches Completion knows of a fault.
        await _snapshotting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _log.DisposeAsync().ConfigureAwait(false);
    }

    private sealed record Published(NetworkState State, SignedHead Head);
}
