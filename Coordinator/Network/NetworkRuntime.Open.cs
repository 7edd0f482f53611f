using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Presence;
using Mesh.Protocol;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Network;

public sealed partial class NetworkRuntime
{
    /// <summary>Reads a network's log and starts its writer. Throws <see cref="LogStoreException"/>.</summary>
    /// <param name="log">Owned by the runtime once this has completed, and disposed of when it throws.</param>
    /// <param name="presence">With what is remembered of an earlier life; a fresh one by default.</param>
    public static async Task<NetworkRuntime> OpenAsync(EventLog log, TimeProvider time, ILogger logger, RuntimeSizes? sizes = null, NetworkPresence? presence = null)
    {
        sizes ??= RuntimeSizes.Default;
        try
        {
            var states = new RecentStates(sizes.States);
            var commands = new RecentCommands(sizes.Commands);
            var snapshot = await ReadSnapshotAsync(log, sizes, logger).ConfigureAwait(false);
            List<DataErased> erasures = [];
            var (state, head) = await ReadToHeadAsync(log, snapshot, (e, after) =>
            {
                if (e.Payload is DataErased erased)
                {
                    erasures.Add(erased);
                    states.Clear(); // Folded without what is erased, they are not what nodes were told.
                }

                states.Add(after);
                commands.Add(e);
            }).ConfigureAwait(false);
            if (state.Id != log.Network)
                throw HeadElsewhere();
            foreach (var erased in erasures)
                await log.EraseAsync([.. erased.Positions]).ConfigureAwait(false); // A crash may have come between the word and the deed.
            var runtime = new NetworkRuntime(log, new Published(state, head), states, commands, sizes, presence ?? new NetworkPresence(time), time, logger)
            {
                _lastSnapshot = snapshot?.Position ?? 0,
            };
            runtime.Start();
            return runtime;
        }
        catch
        {
            await log.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Writes the first event of a network into an empty log. False when the log is not empty.</summary>
    /// <param name="name">A valid network name.</param>
    public static async Task<bool> CreateAsync(
        EventLog log, string name, AddressPlan addresses, Actor actor, IdempotencyKey key, TimeProvider time)
    {
        if (!NetworkName.IsValid(name))
            throw NetworkValues.Invalid("A network's name is a DNS label: 1 to 63 of a-z, 0-9 and '-', no '-' at either end.");
        if (addresses.Problem() is { } problem)
            throw NetworkValues.Invalid(problem);
        var firstNodeId = ((ulong)RandomNumberGenerator.GetInt32(1, 1 << NetworkLimits.NodeIdRandomBits) << 32) + 1;
        var created = new NetworkCreated
        {
            NetworkId = ByteString.CopyFrom(log.Network.ToArray()),
            Name = name,
            Ipv4Pool = addresses.IPv4.ToString(),
            Ipv6Prefix = addresses.IPv6.ToString(),
            FirstNodeId = firstNodeId,
        };
        created.Ipv4Excluded.AddRange(addresses.IPv4Excluded.Select(excluded => excluded.ToString()));
        var batch = log.Begin(LogPoint.Start);
        batch.Add(new EventDraft(EventKind.NetworkCreated, created.ToByteArray(), actor, key, time.GetUtcNow()));
        return await log.AppendAsync(batch).ConfigureAwait(false) is not null;
    }

    /// <summary>
    /// Folds what the log has after a state, up to an event that a head is signed for. Other writers may append meanwhile: the
    /// head that is read is then newer than the events, and the next round reads those.
    /// </summary>
    private static async Task<(NetworkState State, SignedHead Head)> ReadToHeadAsync(
        EventLog log, NetworkState? from, Action<NetworkEvent, NetworkState> folded)
    {
        var state = from;
        for (var idleRounds = 0; idleRounds < 2; idleRounds++)
        {
            await foreach (var entry in log.ReadAfterAsync(state?.Point ?? LogPoint.Start).ConfigureAwait(false))
            {
                var e = NetworkEvent.Decode(entry);
                state = Fold(state, e);
                folded(e, state);
                idleRounds = 0;
            }

            var head = await log.ReadHeadAsync().ConfigureAwait(false);
            if (state is not null && head?.Point == state.Point)
                return (state, head);
            if (state is null || head is null || head.Point.Position <= state.Position)
                break;
        }

        throw HeadElsewhere();
    }

    private static LogStoreException HeadElsewhere() => new(
        LogStoreFault.Damaged,
        "The log's newest head is not that of its last event. Restore the log from a backup; " +
        "`mesh-coordinator log verify` lists everything that is wrong.");

    private static NetworkState Fold(NetworkState? state, NetworkEvent e)
    {
        try
        {
            return NetworkFold.Apply(state, e);
        }
        catch (Exception x) when (x is ArgumentException or FormatException or KeyNotFoundException)
        {
            throw new LogStoreException(
                LogStoreFault.Damaged,
                $"The event at position {e.Header.Position} contradicts those before it. Restore the log from a backup.",
                x);
        }
    }
}
