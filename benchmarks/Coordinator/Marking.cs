using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Security.Cryptography;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Trust;
using Mesh.Crypto;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Benchmarks.Coordinator;

/// <summary>
/// Networks of several sizes in which a thousand machines have open polls, over pipes; and what it costs when a machine of a kind
/// that there is joins: the policy's part or the whole fold of the event, finding the polls that must hear of it, and listing them
/// for the thread pool to tell. The log is a real one in a directory of its own; nothing is written to it while it is measured.
/// </summary>
internal sealed class Marking
{
    public const int Polls = 1_000;

    private const int Times = 101, WarmUps = 200, Roles = 10;

    /// <summary>Machines have one of ten tags; what a joiner's tag is reached from decides how many must hear of it.</summary>
    private static readonly (string Name, string Text)[] Policies =
    [
        ("all", NetworkPolicy.AllowAllText),
        ("a tenth", """{"acls": [{"action": "accept", "src": ["tag:role0"], "dst": ["tag:role1:443"]}], "tagOwners": {""" + TagOwners + "}}"),
    ];

    private static string TagOwners => string.Join(", ", Enumerable.Range(0, Roles).Select(role => $"\"tag:role{role}\": []"));

    /// <summary>What comes before the marking; all give the program that the polls are found by.</summary>
    private static readonly (string Name, Func<NetworkState, NetworkEvent, PolicySubject, PolicyProgram> Run)[] Folds =
    [
        ("policy", (state, _, joiner) => state.Policy.Fleet.With(joiner).Program),
        ("whole fold", (state, e, _) => NetworkFold.Apply(state, e).Policy.Program),
    ];

    /// <summary>By who must hear and what comes before.</summary>
    public static async Task<IReadOnlyList<Marked>> RunAsync(int nodes)
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
            string[] joinKeys = new string[Roles];
            for (int role = 0; role < Roles; role++)
                joinKeys[role] = (await runtime.ExecuteAsync(new CreatePreAuthKey { Tags = [$"tag:role{role}"], Reusable = true }, Actor.System, IdempotencyKey.None)).Text!;
            foreach (int[] some in Enumerable.Range(1, nodes).Chunk(500))
                await Task.WhenAll(some.Select(number => JoinAsync(runtime, number, joinKeys[number % Roles])));
            List<Marked> found = [];
            foreach (var (name, text) in Policies)
            {
                await runtime.ExecuteAsync(new SetPolicy(text), Actor.System, IdempotencyKey.None);
                StateChange? joined = null;
                runtime.StateChanged += change => joined = change;
                await JoinAsync(runtime, nodes + found.Count + 1, joinKeys[1]);
                using var hub = new MapHub(runtime, RandomNumberGenerator.GetBytes(32), TimeProvider.System, metrics, NullLogger.Instance);
                found.AddRange(await MarkAsync(hub, joined!, name));
            }
            return found;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task JoinAsync(NetworkRuntime runtime, int number, string joinKey)
    {
        byte[] key = new byte[32];
        BinaryPrimitives.WriteInt32LittleEndian(key, number);
        await runtime.ExecuteAsync(
            new RegisterNode { MachineKey = new MachineKey(key), NodeKey = new X25519PublicKey(key), PreAuthKey = joinKey }, Actor.System, IdempotencyKey.None);
    }

    private static async Task<List<Marked>> MarkAsync(MapHub hub, StateChange joined, string name)
    {
        var index = new PollIndex();
        List<(PollSession Session, Task Running)> polls = [];
        foreach (var node in joined.Before.Nodes.Values.OrderBy(node => node.Id).Take(Polls))
        {
            var pipe = new Pipe();
            var session = new PollSession(hub, hub.Runtime.Presence.Connect(node.Id, new byte[16]), new Endpoint(), pipe.Writer, () => { });
            index.Add(session, node);
            polls.Add((session, Task.WhenAll(Task.Run(() => EndAsync(session, pipe)), pipe.Reader.CopyToAsync(Stream.Null))));
        }
        var e = joined.Events[0];
        var joiner = joined.After.FindNode(((NodeRegistered)e.Payload!).Id)!;
        var subject = joined.After.SubjectOf(joiner);
        PollPlace[] places = [default, PollPlace.Of(joiner)];
        List<Marked> found = [];
        foreach (var (before, fold) in Folds)
        {
            double[] times = new double[Times];
            double bytes = 0;
            int told = 0;
            for (int i = -WarmUps; i < Times; i++)
            {
                if (i >= 0) await QuietAsync();
                long allocated = GC.GetAllocatedBytesForCurrentThread(), began = Stopwatch.GetTimestamp();
                List<PollSession> seeing = [];
                index.ListWhoSee(fold(joined.Before, e, subject), places, seeing);
                told = seeing.Count;
                if (i < 0) continue;
                new WakeBatch(seeing).Start();
                times[i] = Stopwatch.GetElapsedTime(began).TotalMicroseconds;
                bytes = GC.GetAllocatedBytesForCurrentThread() - allocated;
            }
            Array.Sort(times);
            found.Add(new Marked(name, before, told, times[Times / 2], times[Times * 99 / 100], times[^1], bytes));
        }
        foreach (var (session, _) in polls) session.Aborted();
        await Task.WhenAll(polls.Select(poll => poll.Running));
        return found;
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

/// <summary>Who must hear of a machine that joins, and what the joining took; microseconds.</summary>
/// <param name="Fold">What came before the marking.</param>
internal sealed record Marked(string Who, string Fold, int Told, double Median, double P99, double Most, double Bytes);
