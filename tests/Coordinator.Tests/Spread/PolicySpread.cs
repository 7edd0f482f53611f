using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Tests.Soak;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Spread;

/// <summary>
/// Measures how long a change of policy takes to reach every machine: from before the administrator's request is sent until the
/// machine has read the frame, over real TLS, the coordinator in a process of its own and all machines in this one.
/// </summary>
internal static class PolicySpread
{
    public const string Verb = "spread";

    private const int Joining = 16;
    private const int Users = 100;

    private static readonly string[] Tags = ["tag:web", "tag:db", "tag:ci", "tag:monitor"];

    /// <param name="arguments">--nodes N (1000), --changes N (10 of each kind), --json.</param>
    public static async Task<int> RunAsync(string[] arguments)
    {
        int nodes = Number(arguments, "--nodes", 1000), changes = Number(arguments, "--changes", 10);
        await using var coordinator = new CoordinatorProcess();
        await coordinator.StartAsync();
        using var admin = coordinator.Admin();
        await SetAsync(admin, Policy(monitorPort: 9100, dbPort: 5432));
        var machines = await JoinAsync(coordinator, admin, nodes);
        var polls = machines.Select(machine => new Listener(machine)).ToList();
        await Task.WhenAll(polls.Select(poll => poll.StartAsync()));

        List<(string What, int Told, double CpuMs, List<double> Milliseconds)> rows = [];
        // Back: what stands before each change. Peers: what each machine must get of them.
        async Task MeasureAsync(string what, Func<int, string> text, string? back = null, int? peers = null)
        {
            List<double> all = [];
            int told = 0;
            var used = TimeSpan.Zero;
            for (int i = 0; i < changes; i++)
            {
                if (back is not null) await WhoHeardAsync(polls, await SetAsync(admin, back));
                var before = coordinator.ProcessorTime;
                long start = Stopwatch.GetTimestamp();
                long position = await SetAsync(admin, text(i));
                var heard = await WhoHeardAsync(polls, position);
                used += coordinator.ProcessorTime - before;
                told = heard.Count;
                if (peers is not null) Assert.All(heard, one => Assert.Equal(peers, one.Upserts));
                all.AddRange(heard.Select(one => Stopwatch.GetElapsedTime(start, one.At).TotalMilliseconds));
            }
            rows.Add((what, told, Math.Round(used.TotalMilliseconds / changes), all));
        }

        await MeasureAsync("a port that all machines accept", i => Policy(9101 + i, 5432));
        await MeasureAsync("a port that the databases accept", i => Policy(9100, 5433 + i));
        await MeasureAsync("nobody reaches anybody", _ => NetworkPolicy.DenyAllText, back: Policy(9100, 5432));
        await MeasureAsync("everybody reaches everybody, after nobody anybody", _ => NetworkPolicy.AllowAllText, back: NetworkPolicy.DenyAllText, peers: nodes - 1);
        if (arguments.Contains("--json"))
        {
            Console.WriteLine(JsonSerializer.Serialize(rows.Select(row => new { nodes, row.What, row.Told, row.CpuMs, p50Ms = At(row.Milliseconds, 0.5), p99Ms = At(row.Milliseconds, 0.99), maxMs = At(row.Milliseconds, 1) })));
        }
        else
        {
            Console.WriteLine($"{nodes} machines, {changes} changes of each kind; milliseconds from the request to the machine's map\n");
            Console.WriteLine("| change | machines told | p50 | p99 | max | coordinator's CPU |\n| --- | ---: | ---: | ---: | ---: | ---: |");
            foreach (var (what, told, cpu, times) in rows)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {told} | {At(times, 0.5):F0} | {At(times, 0.99):F0} | {At(times, 1):F0} | {cpu:F0} |"));
        }
        foreach (var poll in polls) poll.Dispose();
        return 0;
    }

    private static async Task<List<TestMachine>> JoinAsync(CoordinatorProcess coordinator, AdminClient admin, int nodes)
    {
        List<string> keys = [];
        for (int user = 0; user < Users; user++)
        {
            await admin.SendAsync(HttpMethod.Post, Paths.Users("default"), new CreateUserModel($"u{user}"), AdminJson.Default.CreateUserModel, AdminJson.Default.UserModel, default);
            keys.Add(await KeyAsync(new CreateKeyModel { User = $"u{user}", Reusable = true }));
        }
        foreach (string tag in Tags) keys.Add(await KeyAsync(new CreateKeyModel { Tags = [tag], Reusable = true }));
        var machines = Enumerable.Range(0, nodes).Select(_ => new TestMachine(coordinator)).ToList();
        await Parallel.ForAsync(0, nodes, new ParallelOptions { MaxDegreeOfParallelism = Joining }, async (i, _) =>
            // Half of them servers, so that tags have many machines too.
            await machines[i].RegisterAsync(i % 2 == 0 ? keys[Users + i / 2 % Tags.Length] : keys[i / 2 % Users], $"n{i}"));
        return machines;

        async Task<string> KeyAsync(CreateKeyModel key) =>
            (await admin.SendAsync(HttpMethod.Post, Paths.Keys("default"), key, AdminJson.Default.CreateKeyModel, AdminJson.Default.CreatedKeyModel, default)).Secret;
    }

    private static string Policy(int monitorPort, int dbPort) => $$"""
        {
          "groups": {"group:ops": ["u0@", "u1@", "u2@"], "group:dev": [{{string.Join(", ", Enumerable.Range(3, 40).Select(user => $"\"u{user}@\""))}}]},
          "tagOwners": {{{string.Join(", ", Tags.Select(tag => $"\"{tag}\": [\"group:ops\"]"))}}},
          "acls": [
            {"action": "accept", "src": ["tag:monitor"], "dst": ["*:{{monitorPort}}"]},
            {"action": "accept", "src": ["tag:web"], "dst": ["tag:db:{{dbPort}}"]},
            {"action": "accept", "src": ["group:dev"], "dst": ["tag:web:443", "tag:ci:*"]},
            {"action": "accept", "src": ["group:ops"], "dst": ["*:*"]},
            {"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*", "tag:web:443"]},
          ],
        }
        """;

    /// <returns>The position from which the policy holds.</returns>
    private static async Task<long> SetAsync(AdminClient admin, string text) => (await admin.SendAsync(
        HttpMethod.Put, Paths.Policy("default"), new SetPolicyModel(text), AdminJson.Default.SetPolicyModel, AdminJson.Default.PolicyModel, default)).Position;

    /// <summary>What each machine heard of a position; who did not while nobody heard anything for a second sees nothing of it.</summary>
    private static async Task<List<Heard>> WhoHeardAsync(List<Listener> polls, long position)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (await look.WaitForNextTickAsync())
        {
            List<Heard> heard = [.. polls.Select(poll => poll.HeardOf(position)).OfType<Heard>()];
            if (heard.Count > 0 && Stopwatch.GetElapsedTime(heard.Max(one => one.At)) > TimeSpan.FromSeconds(1)) return heard;
        }

        return [];
    }

    private static double At(List<double> values, double share)
    {
        var sorted = values.Order().ToList();
        return sorted.Count == 0 ? 0 : Math.Round(sorted[Math.Min(sorted.Count - 1, (int)(share * sorted.Count))], 1);
    }

    private static int Number(string[] arguments, string name, int otherwise) =>
        Array.IndexOf(arguments, name) is >= 0 and var at ? int.Parse(arguments[at + 1], CultureInfo.InvariantCulture) : otherwise;
}
