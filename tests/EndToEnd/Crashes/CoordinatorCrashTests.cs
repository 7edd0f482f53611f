using System.Net;
using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;
using Mesh.Node.Control;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.EndToEnd.Crashes;

/// <summary>
/// kill -9 of a real coordinator, again and again, while members register, report and leave. The model is what was acknowledged:
/// after every restart each member's map has to equal it.
/// </summary>
public sealed class CoordinatorCrashTests : IAsyncDisposable
{
    private const int Seed = 20_26;
    private const int Kills = 50;
    private const int KillsInTheLongRun = 300;
    private const int OperationsARound = 6;
    private const int MembersAtMost = 16;
    private const int RoundsBetweenVerifications = 10;

    private static readonly TimeSpan RoundDeadline = TimeSpan.FromSeconds(60);

    private readonly NetworkLab _lab = new();
    private readonly List<Member> _members = [];
    private readonly Random _random = new(Seed);
    private int _names;
    private int _acknowledged;

    public async ValueTask DisposeAsync()
    {
        foreach (var member in _members)
            await member.DisposeAsync();
        await _lab.DisposeAsync();
    }

    [Fact]
    public Task Fifty_kills_lose_nothing_that_was_acknowledged() => SurvivesAsync(Kills);

    [Fact(Explicit = true)]
    public Task Three_hundred_kills_lose_nothing_that_was_acknowledged() => SurvivesAsync(KillsInTheLongRun);

    private async Task SurvivesAsync(int kills)
    {
        var coordinator = new CoordinatorProcess(_lab, _lab.Here, "127.0.0.1");
        await coordinator.StartAsync();
        await coordinator.RunAsync("policy", "set", "--allow-all", "--yes");
        var reusable = Parse(await coordinator.CreateLinkAsync("--reusable"));

        for (var round = 1; round <= kills; round++)
        {
            var what = $"round {round} of seed {Seed}";
            var single = Parse(await coordinator.CreateLinkAsync());
            using var limit = new CancellationTokenSource(RoundDeadline);
            var before = _acknowledged;
            var operations = StartOperations(reusable, single, limit.Token);

            // The blow falls on whatever is under way when so many were acknowledged.
            var until = before + _random.Next(OperationsARound);
            await Wait.UntilAsync($"{what}: {until - before} acknowledgements", RoundDeadline, () => Volatile.Read(ref _acknowledged) >= until);
            await coordinator.KillAsync();
            await coordinator.StartAsync();
            await Task.WhenAll(operations);

            await Wait.UntilAsync(
                $"{what}: every map equals the model", RoundDeadline, () => FirstDifference() is null,
                () => $"{FirstDifference()} {Daemon.Tail(coordinator.LogFile)}");
            if (round % RoundsBetweenVerifications == 0 || round == kills)
                await coordinator.RunAsync("log", "verify");
        }

        Assert.True(_members.Count(member => member.IsLive) > 3, "the run left too few members to have shown anything");
    }

    /// <summary>Starts this round's operations, all at once: registrations with both kinds of key, reports, a log-out now and then.</summary>
    private List<Task> StartOperations(JoinLink reusable, JoinLink single, CancellationToken cancel)
    {
        var live = _members.Where(member => member.IsLive).ToList();
        var operations = new List<Task> { CountAsync(AddMember(single).RegisterAsync(single.PreAuthKey!, cancel)) };
        while (operations.Count < OperationsARound)
        {
            var chance = live.Count == 0 ? 0 : live.Count >= MembersAtMost - OperationsARound ? 1 + _random.Next(9) : _random.Next(10);
            if (chance < 3)
            {
                operations.Add(CountAsync(AddMember(reusable).RegisterAsync(reusable.PreAuthKey!, cancel)));
            }
            else if (chance < 8 || live.Count < 3)
            {
                var address = new IPAddress([10, (byte)_random.Next(256), (byte)_random.Next(256), (byte)_random.Next(1, 255)]);
                live[_random.Next(live.Count)].Report(new IPEndPoint(address, _random.Next(1024, 65536)));
                operations.Add(CountAsync(Task.CompletedTask));
            }
            else
            {
                var leaving = live[_random.Next(live.Count)];
                live.Remove(leaving);
                operations.Add(CountAsync(leaving.LogOutAsync(cancel)));
            }
        }

        return operations;
    }

    private Member AddMember(JoinLink link)
    {
        var jitter = new Random(_random.Next());
        var member = new Member(link, $"machine-{++_names}", () =>
        {
            lock (jitter)
                return jitter.NextDouble() / 4; // back soon: the test is about what is lost, not about patience
        });
        _members.Add(member);
        return member;
    }

    private async Task CountAsync(Task operation)
    {
        await operation;
        Interlocked.Increment(ref _acknowledged);
    }

    /// <summary>Where a member's map differs from what was acknowledged; null when none does.</summary>
    private string? FirstDifference()
    {
        var live = _members.Where(member => member.IsLive).ToList();
        return live.Select(member => Difference(member, live)).FirstOrDefault(difference => difference is not null);
    }

    private static string? Difference(Member member, List<Member> live)
    {
        if (member.Status.Warnings.HasFlag(ControlWarnings.LogFork))
            return $"{member.Hostname} saw the log fork";
        if (member.Status.Phase != ControlPhase.Connected)
            return $"{member.Hostname} is {member.Status.Phase} ({member.Status.LastError})";
        if (member.Map is not { } map)
            return $"{member.Hostname} has no map";
        var self = map.Self;
        if (self.NodeId != member.Registered!.NodeId || self.Name != member.Registered.Name || self.NodeKey != member.NodeKey
            || !self.Addresses.SequenceEqual(member.Registered.Addresses))
            return $"{member.Hostname} is told that it is {self}, not {member.Registered}";
        var others = live.Where(other => other != member).ToDictionary(other => other.Registered!.NodeId);
        if (!others.Keys.ToHashSet().SetEquals(map.Peers.Keys))
            return $"{member.Hostname} sees {string.Join(',', map.Peers.Keys.Order())}, not {string.Join(',', others.Keys.Order())}";
        return others.Select(other => Difference(member, other.Value, map.Peers[other.Key])).FirstOrDefault(difference => difference is not null);
    }

    private static string? Difference(Member member, Member other, Peer seen)
    {
        var isOther = seen.Name == other.Registered!.Name && seen.NodeKey == other.NodeKey
            && seen.Prefixes.Select(prefix => (prefix.Address, prefix.Length))
                .SequenceEqual(other.Registered.Addresses.Select(prefix => (prefix.Address, prefix.Length)));
        if (!isOther)
            return $"{member.Hostname} sees {seen}, not {other.Registered}";
        if (seen.Presence is not { Online: true })
            return $"{member.Hostname} does not see {other.Hostname} online";
        return other.Endpoint is { } endpoint && !seen.Presence.Endpoints.Any(known => Equals(endpoint, known))
            ? $"{member.Hostname} does not see {other.Hostname} at {endpoint}"
            : null;
    }

    private static bool Equals(IPEndPoint endpoint, Endpoint known) =>
        known.Port == endpoint.Port && known.Address.Span.SequenceEqual(endpoint.Address.GetAddressBytes());

    private static JoinLink Parse(string text) =>
        JoinLink.TryParse(text, out var link, out var error) ? link : throw new FormatException($"{error}: {text}");
}
