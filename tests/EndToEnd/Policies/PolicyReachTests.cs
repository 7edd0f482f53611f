using System.Diagnostics;
using System.Globalization;
using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;
using Mesh.Node.Cli;
using Mesh.Node.LocalApi;

namespace Mesh.EndToEnd.Policies;

/// <summary>
/// A policy at work between real machines: every pair tries every port and protocol, and what gets through is what <c>policy eval</c>
/// says of the same policy and machines; so are the peers that each machine sees, and what its <c>why</c> answers.
/// </summary>
public sealed class PolicyReachTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Head = """
        "groups": {"group:dev": ["alice@example.com"], "group:ops": ["bob@"]},
        "tagOwners": {"tag:web": ["group:ops"], "tag:db": ["group:ops"]},
        """;

    private const string Second = $$"""
        {
          {{Head}}
          // alice loses web:443, most of her own machines and echoes, and gains the database; bob loses the database altogether.
          "grants": [
            {"src": ["group:dev"], "dst": ["tag:web"], "ip": ["tcp:80"]},
            {"src": ["group:dev"], "dst": ["tag:db"], "ip": ["tcp:5432", "udp:53"]},
            {"src": ["group:ops"], "dst": ["tag:web"], "ip": ["icmp:*"]},
            {"src": ["tag:db"], "dst": ["tag:web"], "ip": ["udp:5432"]},
            {"src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["22"]},
          ],
        }
        """;

    private static readonly TimeSpan SettleDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RevocationDeadline = TimeSpan.FromSeconds(5);

    /// <summary>That one flow makes while others that make none are taken to have stopped; they all have the same pace.</summary>
    private const int RoundTripsToTell = 50;

    private readonly PolicyFleet _fleet = new();

    public async ValueTask InitializeAsync() => await _fleet.StartAsync($$"""{ {{Head}} "acls": [] }""");

    public ValueTask DisposeAsync() => _fleet.DisposeAsync();

    [Fact]
    public async Task What_passes_is_what_the_evaluated_policy_says_after_each_change_and_without_the_coordinator()
    {
        string first = $$"""
            {
              {{Head}}
              "hosts": {"alices-phone": "{{_fleet.Address("alice-phone")}}"},
              "acls": [
                {"action": "accept", "src": ["group:dev"], "dst": ["tag:web:80,443"]},
                {"action": "accept", "src": ["group:ops"], "dst": ["tag:web:22", "tag:db:22,5432"]},
                {"action": "accept", "proto": "tcp", "src": ["tag:web"], "dst": ["tag:db:5432"]},
                {"action": "accept", "proto": "udp", "src": ["tag:web"], "dst": ["tag:db:53"]},
                {"action": "accept", "proto": "icmp", "src": ["tag:db"], "dst": ["alices-phone:*"]},
                {"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self:*"]},
              ],
              "tests": [{"src": "alice@example.com", "accept": ["tag:web:443"], "deny": ["tag:db:5432"]}],
            }
            """;
        await _fleet.SetPolicyAsync(first);
        await HoldsAsync("the first policy", await _fleet.EvaluateAsync(first));

        using var kept = await _fleet.OpenFlowAsync("alice-laptop", "web-1", 80);
        using var portLost = await _fleet.OpenFlowAsync("alice-laptop", "web-1", 443);
        using var peerLost = await _fleet.OpenFlowAsync("bob-laptop", "db-1", 5432);
        using var ownLost = await _fleet.OpenFlowAsync("alice-laptop", "alice-phone", 443);
        await StopAsync("a policy without their rights", () => _fleet.SetPolicyAsync(Second), kept, portLost, peerLost, ownLost);
        await HoldsAsync("the second policy", await _fleet.EvaluateAsync(Second));

        using var machineMoved = await _fleet.OpenFlowAsync("alice-phone", "web-2", 80);
        await StopAsync("other tags", () => _fleet.Coordinator.RunAsync("nodes", "tag", "web-2", "tag:db"), kept, machineMoved);
        var moved = await _fleet.EvaluateAsync(Second);
        await HoldsAsync("a machine with other tags", moved);

        await _fleet.StopCoordinatorAsync();
        await HoldsAsync("no coordinator", moved);
        var restarted = _fleet.Nodes["db-1"];
        Assert.Equal(ExitCodes.Done, await restarted.StopAsync());
        await restarted.StartAsync();
        await HoldsAsync("a daemon that started without it", moved);

        long roundTrips = kept.RoundTrips;
        await Wait.UntilAsync($"{kept.Name} goes on to the end", SettleDeadline, () => kept.RoundTrips > roundTrips);
    }

    /// <summary>What gets through comes to be what the verdicts say, exactly, within a while.</summary>
    private async Task HoldsAsync(string under, PolicyVerdicts verdicts)
    {
        List<Probe> wrong = [];
        HashSet<Probe> answered = [];
        int tables = 0;
        var took = await Wait.UntilAsync(
            $"exactly what should passes under {under}", SettleDeadline,
            async () =>
            {
                answered = await _fleet.AskAsync(verdicts.Allows);
                tables++;
                wrong = [.. _fleet.Probes.Where(probe => answered.Contains(probe) != verdicts.Allows(probe))];
                return wrong.Count == 0;
            },
            () => string.Join("; ", wrong.Take(10).Select(probe => $"{probe} is {(answered.Contains(probe) ? "answered" : "not answered")}")) + $" ({wrong.Count} in all)");
        foreach (var node in _fleet.Nodes.Values)
            Assert.Equal(verdicts.PeersOf(node.Name), (await node.StatusAsync()).Peers.Select(peer => peer.Name).Order(StringComparer.Ordinal));
        foreach (var probe in _fleet.Probes) await ExplainsAsync(probe, verdicts.Allows(probe));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{under}: {answered.Count} of {_fleet.Probes.Count} answered, as evaluated, after {took.TotalSeconds:0.0} s and {tables} table(s)"));
        Assert.InRange(answered.Count, 1, _fleet.Probes.Count - 1);
    }

    /// <summary>Both ends say of a connection what came of it.</summary>
    private async Task ExplainsAsync(Probe probe, bool allowed)
    {
        var receiver = await WhyAsync(probe.To, probe.Source.ToString(), probe);
        Assert.True((receiver?.Inbound.Verdict == WhyDirection.Allowed) == allowed, $"{probe}: {probe.To} says: {receiver?.Inbound.Reason ?? "no such peer"}");
        if (!allowed) return;
        var sender = await WhyAsync(probe.From, probe.Target.ToString(), probe);
        Assert.Equal(WhyDirection.PeerDecides, sender?.Outbound.Verdict);
    }

    /// <summary>What <c>mesh why</c> prints; null when it knows no such peer.</summary>
    private async Task<WhyAnswer?> WhyAsync(string machine, string host, Probe probe)
    {
        var request = new WhyRequest(host, probe.Port == 0 ? null : probe.Port, probe.Protocol);
        try
        {
            return (await LocalClient.AskAsync(_fleet.Nodes[machine].Socket, new LocalRequest(LocalRequest.WhyVerb, Why: request), null, CancellationToken.None)).Why;
        }
        catch (UserException e) when (e.Code == ExitCode.UnknownPeer)
        {
            return null;
        }
    }

    /// <summary>Running connections come to a stop by a change, while another goes on.</summary>
    private async Task StopAsync(string by, Func<Task> change, EchoFlow kept, params EchoFlow[] revoked)
    {
        foreach (var flow in revoked.Append(kept)) await Wait.UntilAsync($"{flow.Name} goes", SettleDeadline, () => flow.RoundTrips > 0);
        await change();
        long changed = Stopwatch.GetTimestamp();
        await Wait.UntilAsync($"{string.Join(", ", revoked.Select(flow => flow.Name))} stop by {by}", RevocationDeadline, async () =>
        {
            long[] before = [.. revoked.Select(flow => flow.RoundTrips)];
            long keptBefore = kept.RoundTrips;
            await Wait.UntilAsync($"{kept.Name} goes on", RevocationDeadline, () => kept.RoundTrips >= keptBefore + RoundTripsToTell);
            return revoked.Select(flow => flow.RoundTrips).SequenceEqual(before);
        });
        foreach (var flow in revoked)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{flow.Name} stopped {Stopwatch.GetElapsedTime(changed, flow.Last).TotalMilliseconds:0} ms after the change by {by} was acknowledged"));
    }
}
