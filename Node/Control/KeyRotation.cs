using Mesh.Node.State;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Control;

/// <summary>
/// One change of the node key, or the rest of one that a crash cut short (see <see cref="NodeKeys"/> for the keys at each step).
/// <list type="number">
/// <item>The new key is on disk, and answered beside the old, before anybody hears of it.</item>
/// <item>The coordinator is told, with a proof; it tells the peers, who answer to both from then on.</item>
/// <item>Once every peer that is online has said that it knows, or after five minutes, handshakes go out under the new key.</item>
/// <item>The coordinator is told that the old one is needed no longer; then it is gone here too.</item>
/// </list>
/// Sessions are not touched by any of this, so a running flow loses nothing. Whatever fails on the way is tried again.
/// </summary>
/// <param name="keysChanged">Called after each step that changes which keys are used or answered.</param>
internal sealed partial class KeyRotation(
    ControlClient client, MachineIdentity machine, NodeKeys keys, Action keysChanged, TimeProvider time, Backoff backoff, ILogger log)
{
    /// <summary>The old key is left this long before the coordinator would retire it by itself.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan AskEveryAtMost = TimeSpan.FromSeconds(5);

    private readonly ILogger _log = log;
    private readonly TaskCompletionSource<ControlException> _firstFailure = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a call has failed, though it is tried again.</summary>
    public Task<ControlException> FirstFailure => _firstFailure.Task;

    /// <exception cref="ControlException">The coordinator refused for good; the old key stays, or the rest is for a later start.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        if (!keys.IsChanging) keys.Prepare();
        keysChanged();
        if (keys.Next is not null)
        {
            long announced = await AnnounceAsync(cancel).ConfigureAwait(false);
            await WaitForPeersAsync(announced, cancel).ConfigureAwait(false);
            keys.Promote();
            keysChanged();
        }
        await InsistAsync(() => client.RotateAsync(new RotateRequest { Header = client.Header(), RetirePrevious = true }, cancel), cancel).ConfigureAwait(false);
        keys.Finish();
        keysChanged();
        LogRotated();
    }

    /// <returns>When, as a time stamp.</returns>
    private async Task<long> AnnounceAsync(CancellationToken cancel)
    {
        try
        {
            await InsistAsync(async () =>
            {
                var challenge = await client.ChallengeAsync(cancel).ConfigureAwait(false);
                return await client.RotateAsync(
                    new RotateRequest { Header = client.Header(), NodeKey = Registrar.Prove(challenge, machine, keys.Next!) }, cancel).ConfigureAwait(false);
            }, cancel).ConfigureAwait(false);
            return time.GetTimestamp();
        }
        catch (ControlException e) when (e.ProblemType is not (ProblemType.NotRegistered or ProblemType.Expired))
        {
            keys.Withdraw();
            keysChanged();
            throw;
        }
    }

    private async Task WaitForPeersAsync(long announced, CancellationToken cancel)
    {
        var wait = AskEvery;
        while (time.GetElapsedTime(announced) < ControlLimits.PreviousKeyOverlap - Margin)
        {
            try
            {
                var standing = await client.RotateAsync(new RotateRequest { Header = client.Header() }, cancel).ConfigureAwait(false);
                if (standing.Acknowledged || standing.PreviousUntilMs == 0) return;
            }
            catch (ControlException e) when (!IsFinal(e))
            {
                _firstFailure.TrySetResult(e);
            }
            await Task.Delay(wait, time, cancel).ConfigureAwait(false);
            if (wait < AskEveryAtMost) wait *= 2;
        }
    }

    private async Task<T> InsistAsync<T>(Func<Task<T>> call, CancellationToken cancel)
    {
        while (true)
        {
            TimeSpan wait;
            try
            {
                var answer = await call().ConfigureAwait(false);
                backoff.Reset();
                return answer;
            }
            catch (ControlException e) when (!IsFinal(e))
            {
                _firstFailure.TrySetResult(e);
                LogTriesAgain(e.Message);
                wait = backoff.Next(e.RetryAfter);
            }
            await Task.Delay(wait, time, cancel).ConfigureAwait(false);
        }
    }

    private static bool IsFinal(ControlException e) => e.Failure == ControlFailure.NotTrusted || (e.Failure == ControlFailure.Refused
        && e.ProblemType is not (ProblemType.Busy or ProblemType.Unavailable or ProblemType.Internal or ProblemType.Challenge) && e.Status < 500);

    [LoggerMessage(EventId = 2031, Level = LogLevel.Information, Message = "The node key was changed")]
    private partial void LogRotated();

    [LoggerMessage(EventId = 2032, Level = LogLevel.Warning, Message = "The change of the node key waits: {Reason}")]
    private partial void LogTriesAgain(string reason);
}
