using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;
using Mesh.Crypto;
using Mesh.Protocol.Control;
using HostFacts = Mesh.Coordinator.Network.HostFacts;

namespace Mesh.Coordinator.Registration;

/// <summary>A machine that waits to be let in; it has proven that it holds both keys.</summary>
/// <param name="Code">What it is approved by.</param>
/// <param name="Source">Where it asks from.</param>
internal sealed record WaitingMachine(
    MachineKey MachineKey, X25519PublicKey NodeKey, HostFacts Host, IPAddress Source, string Code, DateTimeOffset Since);

/// <summary>
/// The machines that wait for approval. In memory, and never in the log: they are strangers, whom anybody can send. After a
/// restart they are here again with their next request, under the same codes. Those that came with a pre-auth key stand in the
/// log besides, as nodes that are not approved: for these this is only where the code is.
/// <list type="bullet">
/// <item>At most <see cref="ControlLimits.WaitingPerNetwork"/> of a network and <see cref="ControlLimits.WaitingPerAddress"/> from an
/// address (an IPv6 one by its /64); a further one is refused with "busy", so that a crowd pushes nobody out.</item>
/// <item>One that has not asked for <see cref="ControlLimits.WaitingSilence"/> is forgotten.</item>
/// <item>A code is good for a day from when the machine came; then it gets another.</item>
/// </list>
/// Thread-safe.
/// </summary>
internal sealed class WaitingRoom(byte[] secret, TimeProvider clock)
{
    private static readonly TimeSpan CodeLifetime = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<NetworkId, Dictionary<Bytes32, Entry>> _networks = [];

    /// <summary>Lets machines go from here when the log says that they are in, or gone.</summary>
    public void Watch(NetworkRuntime network) => network.StateChanged += change =>
    {
        foreach (var e in change.Events)
        {
            ulong id = e.Payload switch
            {
                NodeRegistered p => p.Id,
                NodeReauthorized p => p.Id,
                NodeApproved p => p.Id,
                NodeDeleted p => p.Id,
                NodeLoggedOut p => p.Id,
                _ => 0,
            };
            var node = id == 0 ? null : change.After.FindNode(id) ?? change.Before.FindNode(id);
            if (node is not null && change.After.FindNode(id) is not { IsWaiting: true }) Leave(network.Id, node.MachineKey.Id);
        }
    };

    /// <summary>Notes that a machine waits, or still does. Null when too many wait.</summary>
    public Entry? Enter(NetworkId network, MachineKey machine, X25519PublicKey nodeKey, HostFacts host, IPAddress source)
    {
        var now = clock.GetUtcNow();
        lock (_lock)
        {
            if (!_networks.TryGetValue(network, out var entries)) _networks[network] = entries = [];
            if (entries.TryGetValue(machine.Id, out var known) && IsThere(known) && now - known.Machine.Since < CodeLifetime && known.Machine.NodeKey == nodeKey)
            {
                known.Machine = known.Machine with { Host = host, Source = source };
                known.AskedAt = clock.GetTimestamp();
                return known;
            }
            if (known is null)
            {
                foreach (var gone in entries.Where(e => !IsThere(e.Value)).ToList()) Remove(entries, gone.Key);
                if (entries.Count >= ControlLimits.WaitingPerNetwork
                    || entries.Values.Count(e => IsSameSource(e.Machine.Source, source)) >= ControlLimits.WaitingPerAddress) return null;
            }
            else
            {
                Remove(entries, machine.Id);
            }
            string code;
            byte attempt = 0;
            do code = ApprovalCode.Make(secret, network, machine, nodeKey, now.ToUnixTimeSeconds() / 86_400, attempt++);
            while (entries.Values.Any(e => e.Machine.Code == code));
            var entry = new Entry(new WaitingMachine(machine, nodeKey, host, source, code, now)) { AskedAt = clock.GetTimestamp() };
            entries[machine.Id] = entry;
            return entry;
        }
    }

    /// <summary>Waits until the machine may be in, or for a while. At once when others wait for the same machine already.</summary>
    public async Task WaitAsync(Entry entry, CancellationToken cancellationToken)
    {
        try
        {
            if (Interlocked.Increment(ref entry.Held) <= 1) await entry.Left.Task.WaitAsync(ControlLimits.ApprovalWait, clock, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Not yet; it asks again.
        }
        finally
        {
            // Also of one whose connection broke: its next request is held again.
            Interlocked.Decrement(ref entry.Held);
        }
    }

    /// <summary>Those that wait, the first to come first.</summary>
    public IReadOnlyList<WaitingMachine> List(NetworkId network)
    {
        lock (_lock)
            return _networks.TryGetValue(network, out var entries)
                ? [.. entries.Values.Where(IsThere).Select(e => e.Machine).OrderBy(m => m.Since).ThenBy(m => m.Code, StringComparer.Ordinal)]
                : [];
    }

    /// <param name="code">As a person typed it.</param>
    public bool TryFind(NetworkId network, string code, [NotNullWhen(true)] out WaitingMachine? machine)
    {
        string? canonical = ApprovalCode.Parse(code);
        machine = canonical is null ? null : List(network).FirstOrDefault(m => m.Code == canonical);
        return machine is not null;
    }

    public WaitingMachine? Find(NetworkId network, MachineKey machine)
    {
        lock (_lock) return _networks.TryGetValue(network, out var entries) && entries.TryGetValue(machine.Id, out var e) && IsThere(e) ? e.Machine : null;
    }

    private static bool IsSameSource(IPAddress one, IPAddress other)
    {
        if (one.AddressFamily != other.AddressFamily) return false;
        return one.AddressFamily == AddressFamily.InterNetworkV6
            ? one.GetAddressBytes().AsSpan(0, 8).SequenceEqual(other.GetAddressBytes().AsSpan(0, 8))
            : one.Equals(other);
    }

    private bool IsThere(Entry entry) => clock.GetElapsedTime(entry.AskedAt) <= ControlLimits.WaitingSilence;

    private void Leave(NetworkId network, Bytes32 machine)
    {
        lock (_lock)
        {
            if (!_networks.TryGetValue(network, out var entries)) return;
            Remove(entries, machine);
            if (entries.Count == 0) _networks.Remove(network);
        }
    }

    private static void Remove(Dictionary<Bytes32, Entry> entries, Bytes32 machine)
    {
        if (entries.Remove(machine, out var entry)) entry.Left.TrySetResult();
    }

    /// <summary>A machine's place. Its members but the last belong to the room.</summary>
    internal sealed class Entry(WaitingMachine machine)
    {
        public int Held;

        public WaitingMachine Machine { get; set; } = machine;

        /// <summary>A timestamp.</summary>
        public long AskedAt { get; set; }

        /// <summary>Completes when the machine waits no longer.</summary>
        public TaskCompletionSource Left { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Code => Machine.Code;
    }
}
