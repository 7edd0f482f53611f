using Google.Protobuf;
using Mesh.Coordinator.Log;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Network;

public sealed partial class NetworkRuntime
{
    private void Start()
    {
        _subscription = _log.OnAppended(position =>
        {
            // Null wakes the writer, which then catches up. When the queue is full the writer is awake and meets a conflict.
            if (position > State.Position)
                _queue.Writer.TryWrite(null);
        });
        _writer.Start();
    }

    private void Write()
    {
        var batch = new List<PendingCommand>(MaxBatch);
        try
        {
            while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                var woken = false;
                while (batch.Count < MaxBatch && _queue.Reader.TryRead(out var pending))
                {
                    if (pending is null)
                        woken = true;
                    else if (pending.IsCancelled)
                        pending.Fail(new OperationCanceledException());
                    else
                        batch.Add(pending);
                }

                if (woken)
                    TryCatchUp();
                while (batch.Count > 0)
                    batch = Commit(batch);
            }

            _completion.TrySetResult();
        }
#pragma warning disable CA1031 // Whatever ends the writer must reach everyone who waits for it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            WriterFailed(_logger, Name, State.Position, e);
            _completion.TrySetException(e);
            _ = _completion.Task.Exception; // Observed: whoever watches Completion acts on it.
            _queue.Writer.TryComplete();
            foreach (var pending in batch)
                pending.Fail(e);
            while (_queue.Reader.TryRead(out var pending))
                pending?.Fail(e);
        }
    }

    /// <summary>Brings a batch to its end and returns the commands that must wait for the next one.</summary>
    private List<PendingCommand> Commit(List<PendingCommand> batch)
    {
        while (true)
        {
            var before = _published.State;
            var step = Decide(batch, before);
            if (step.Events.Count > 0)
            {
                SignedHead? head;
                try
                {
                    head = _log.AppendAsync(step.Batch).AsTask().GetAwaiter().GetResult();
                    if (head is null)
                        CatchUp();
                }
                catch (LogStoreException e) when (e.IsTransient)
                {
                    AppendRefused(_logger, Name, step.Events.Count, e);
                    foreach (var pending in batch)
                        pending.Fail(e);
                    return [];
                }

                if (head is null)
                {
                    if (_published.State.Position == before.Position)
                        throw new LogStoreException(
                            LogStoreFault.Damaged, "The log ends before what was stored in it. Restore it from a backup.");
                    continue;
                }

                Publish(before, step.State, head, step.Events);
            }

            foreach (var pending in step.Decided)
                pending.Settle();
            return step.Deferred;
        }
    }

    /// <summary>Decides each command on the state that those before it lead to.</summary>
    private Step Decide(List<PendingCommand> batch, NetworkState state)
    {
        var step = new Step(_log.Begin(state.Point), state);
        var keys = new HashSet<IdempotencyKey>();
        var now = DateTimeOffset.FromUnixTimeMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds());
        foreach (var pending in batch)
        {
            if (!pending.Key.IsNone && !keys.Add(pending.Key))
            {
                step.Deferred.Add(pending); // The same intent twice at once: the second is answered from the first.
                continue;
            }

            step.Decided.Add(pending);
            if (_commands.TryGet(pending.Key, out var done))
                pending.Recall(step.State, done);
            else
                Decide(step, pending, now);
        }

        return step;
    }

    private static void Decide(Step step, PendingCommand pending, DateTimeOffset now)
    {
        var mark = (step.Batch.Count, step.State);
        try
        {
            foreach (var payload in pending.Decide(step.State, new DecisionContext(now, pending.Actor)))
            {
                var draft = new EventDraft(
                    NetworkEvent.KindOf(payload), payload.ToByteArray(), pending.Actor, pending.Key, now);
                var entry = step.Batch.Add(draft);
                var e = new NetworkEvent(entry.Header, entry.Hash, payload);
                step.State = NetworkFold.Apply(step.State, e);
                step.Events.Add(e);
            }

            pending.Folded(step.State);
        }
#pragma warning disable CA1031 // Events that don't fold must never reach the log, and only their command may suffer.
        catch (Exception e)
#pragma warning restore CA1031
        {
            step.Batch.Truncate(mark.Count);
            step.Events.RemoveRange(mark.Count, step.Events.Count - mark.Count);
            step.State = mark.State;
            step.Decided.Remove(pending);
            pending.Fail(e);
        }
    }

    /// <summary>Reads and publishes what other writers appended.</summary>
    private void CatchUp()
    {
        var before = _published.State;
        var events = new List<NetworkEvent>();
        var (after, head) = ReadToHeadAsync(_log, before, (e, _) => events.Add(e)).GetAwaiter().GetResult();
        if (events.Count > 0)
            Publish(before, after, head, events);
    }

    /// <summary>As <see cref="CatchUp"/>, but a store that is locked for now may be read at the next occasion.</summary>
    private void TryCatchUp()
    {
        try
        {
            CatchUp();
        }
        catch (LogStoreException e) when (e.IsTransient)
        {
            ReadRefused(_logger, Name, State.Position, e);
        }
    }

    private void Publish(NetworkState before, NetworkState after, SignedHead head, List<NetworkEvent> events)
    {
        foreach (var e in events)
            _commands.Add(e);
        _states.Add(after);
        _published = new Published(after, head);
        SnapshotIfDue(after);
        try
        {
            StateChanged?.Invoke(new StateChange(before, after, events));
        }
#pragma warning disable CA1031 // A listener's bug must not stop the log.
        catch (Exception e)
#pragma warning restore CA1031
        {
            ListenerFailed(_logger, Name, after.Position, e);
        }
    }

    [LoggerMessage(EventId = 2001, Level = LogLevel.Critical, Message = "Network {Network}: the log can't be written past position {Position}; nothing more is accepted")]
    private static partial void WriterFailed(ILogger logger, string network, long position, Exception exception);

    [LoggerMessage(EventId = 2002, Level = LogLevel.Error, Message = "Network {Network}: {Events} events were not stored and their callers told so")]
    private static partial void AppendRefused(ILogger logger, string network, int events, Exception exception);

    [LoggerMessage(EventId = 2003, Level = LogLevel.Error, Message = "Network {Network}: a listener failed at position {Position}")]
    private static partial void ListenerFailed(ILogger logger, string network, long position, Exception exception);

    [LoggerMessage(EventId = 2004, Level = LogLevel.Warning, Message = "Network {Network}: the log could not be read past position {Position} for now")]
    private static partial void ReadRefused(ILogger logger, string network, long position, Exception exception);

    /// <summary>A batch as far as it is decided.</summary>
    private sealed class Step(LogBatch batch, NetworkState state)
    {
        public LogBatch Batch { get; } = batch;

        /// <summary>With every event of the batch so far.</summary>
        public NetworkState State { get; set; } = state;

        public List<NetworkEvent> Events { get; } = [];

        public List<PendingCommand> Decided { get; } = [];

        public List<PendingCommand> Deferred { get; } = [];
    }
}
