using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Trust;
using Mesh.Crypto;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Benchmarks.Coordinator;

/// <summary>
/// A thousand machines with open polls over pipes, and what it costs to mark those that must hear of one that joins: finding
/// them, and waking each. The log is a real one in a directory of its own; nothing is written while it is measured.
/// </summary>
internal sealed class Marking
{
    public const int Polls = 1_000;

    private const int Times = 41, Roles = 10;

    /// <summary>Machines have one of ten tags; what a joiner's tag is reached from decides how many must hear of it.</summary>
    private static readonly (string Name, string Text)[] Policies =
    [
        ("all", NetworkPolicy.AllowAllText),
        ("a tenth", """{"acls": [{"action": "accept", "src": ["tag:role0"], "dst": ["tag:role1:443"]}], "tagOwners": {""" + TagOwners + "}}"),
    ];

    private static string TagOwners => string.Join(", ", Enumerable.Range(0, Roles).Select(role => $"\"tag:role{role}\": []"));

    /// <summary>By how many must hear: their number, and the median of the marking.</summary>
    public static async Task<IReadOnlyList<(string Who, int Marked, Measured Cost)>> RunAsync()
    {
        string directory = Directory.CreateTempSubdirectory("mesh-bench-").FullName;
        try
        {
            using var files = StateDirectory.Open(directory);
            using var keys = CoordinatorKeys.Open(files, TimeProvider.System);
            var networks = new NetworkDirectory(files.Networks, keys.Log, TimeProvider.System, NullLogger.Instance);
            await networks.CreateAsync("bench", AddressPlan.New(), Actor.System, IdempotencyKey.None);
            using var presence = networks.OpenPresence("bench");
            await using var runtime = await networks.OpenAsync("bench", presence.Presence);
            using var metrics = new CoordinatorMetrics();
            List<(string, int, Measured)> found = [];
            ulong[] nodes = await RegisterAsync(runtime);
            foreach (var (name, text) in Policies)
            {
                await runtime.ExecuteAsync(new SetPolicy(text), Actor.System, IdempotencyKey.None);
                using var hub = new MapHub(runtime, RandomNumberGenerator.GetBytes(32), TimeProvider.System, metrics, NullLogger.Instance);
                found.Add(await MarkAsync(hub, nodes, name));
            }
            return found;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<ulong[]> RegisterAsync(NetworkRuntime runtime)
    {
        string[] keys = new string[Roles];
        for (int role = 0; role < Roles; role++)
            keys[role] = (await runtime.ExecuteAsync(new CreatePreAuthKey { Tags = [$"tag:role{role}"], Reusable = true }, Actor.System, IdempotencyKey.None)).Text!;
        var registrations = await Task.WhenAll(Enumerable.Range(1, Polls).Select(async i =>
        {
            byte[] key = new byte[32];
            BinaryPrimitives.WriteInt32LittleEndian(key, i);
            return await runtime.ExecuteAsync(
                new RegisterNode { MachineKey = new MachineKey(key), NodeKey = new X25519PublicKey(key), PreAuthKey = keys[i % Roles] }, Actor.System, IdempotencyKey.None);
        }));
        return [.. registrations.Select(registration => registration.Node.Id)];
    }

    private static async Task<(string, int, Measured)> MarkAsync(MapHub hub, ulong[] nodes, string name)
    {
        var state = hub.Runtime.State;
        var index = new PollIndex();
        List<(PollSession Session, Task Running)> polls = [];
        foreach (ulong id in nodes)
        {
            var pipe = new Pipe();
            var session = new PollSession(hub, hub.Runtime.Presence.Connect(id, new byte[16]), new Endpoint(), pipe.Writer, () => { });
            index.Add(session, state.FindNode(id));
            polls.Add((session, Task.WhenAll(Task.Run(() => EndAsync(session, pipe)), pipe.Reader.CopyToAsync(Stream.Null))));
        }
        var joiner = state.Nodes.Values.First(node => node.Tags.Contains("tag:role1"));
        PollPlace[] places = [default, PollPlace.Of(joiner)];
        double[] times = new double[Times];
        double bytes = 0;
        int marked = 0;
        for (int i = 0; i < Times; i++)
        {
            await QuietAsync();
            marked = 0;
            long allocated = GC.GetAllocatedBytesForCurrentThread(), began = Stopwatch.GetTimestamp();
            var batch = new WakeBatch();
            foreach (var session in index.WhoSee(state.Policy.Program, places))
            {
                batch.Add(session);
                marked++;
            }
            batch.Wake();
            times[i] = Stopwatch.GetElapsedTime(began).TotalMicroseconds;
            if (Environment.GetEnvironmentVariable("MIN") is not null && i == Times - 1) Console.Error.WriteLine(times.Min());
            bytes = GC.GetAllocatedBytesForCurrentThread() - allocated;
        }
        foreach (var (session, _) in polls) session.Aborted();
        await Task.WhenAll(polls.Select(poll => poll.Running));
        return (name, marked, new Measured(times.Order().ElementAt(Times / 2), bytes));
    }

    private static async Task EndAsync(PollSession session, Pipe pipe)
    {
        await session.RunAsync(null, reset: false);
        await pipe.Writer.CompleteAsync();
    }

    /// <summary>Until every poll waits again.</summary>
    private static async Task QuietAsync()
    {
        int quiet = 0;
        while (quiet < 3)
        {
            await Task.Delay(5);
            quiet = ThreadPool.PendingWorkItemCount == 0 ? quiet + 1 : 0;
        }
    }
}
