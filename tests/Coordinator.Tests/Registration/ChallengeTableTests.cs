using Mesh.Coordinator.Log;
using Mesh.Coordinator.Registration;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Registration;

public sealed class ChallengeTableTests
{
    private readonly ManualClock _clock = new();
    private readonly NetworkId _network = NetworkId.New();

    [Fact]
    public void A_machines_fifth_challenge_replaces_its_oldest()
    {
        using var table = new ChallengeTable(_clock);
        var machine = Bytes32.Sha256Of([1]);
        var issued = Enumerable.Range(0, ControlLimits.ChallengesPerMachine + 1).Select(_ => table.Issue(machine, _network)!).ToList();
        Assert.Equal(ControlLimits.ChallengesPerMachine, table.Count);
        Assert.Null(table.Take(issued[0].IdBytes(), machine, _network));
        Assert.All(issued.Skip(1), challenge => Assert.Same(challenge, table.Take(challenge.IdBytes(), machine, _network)));
        Assert.Equal(0, table.Count);
    }

    [Fact]
    public void What_is_over_makes_room()
    {
        using var table = new ChallengeTable(_clock);
        for (byte i = 0; i < 100; i++) Assert.NotNull(table.Issue(Bytes32.Sha256Of([i]), _network));
        _clock.Advance(ControlLimits.ChallengeLifetime + TimeSpan.FromSeconds(1));
        Assert.NotNull(table.Issue(Bytes32.Sha256Of([200]), _network));
        Assert.Equal(1, table.Count);
    }

    [Fact]
    public void A_challenge_of_one_network_is_none_in_another()
    {
        using var table = new ChallengeTable(_clock);
        var machine = Bytes32.Sha256Of([1]);
        var challenge = table.Issue(machine, _network)!;
        Assert.Null(table.Take(challenge.IdBytes(), machine, NetworkId.New()));
        Assert.Same(challenge, table.Take(challenge.IdBytes(), machine, _network));
    }

    /// <summary>Against a list that is searched from end to end.</summary>
    [Fact]
    public void Any_order_of_issuing_taking_and_waiting_agrees_with_a_naive_table()
    {
        const int seed = 4711;
#pragma warning disable CA5394 // Replayable, not secret.
        var random = new Random(seed);
        using var table = new ChallengeTable(_clock);
        List<(Bytes32 Machine, Challenge Challenge, DateTimeOffset At)> naive = [];
        for (int step = 0; step < 2000; step++)
        {
            var machine = Bytes32.Sha256Of([(byte)random.Next(5)]);
            naive.RemoveAll(entry => _clock.GetUtcNow() - entry.At > ControlLimits.ChallengeLifetime);
            switch (random.Next(3))
            {
                case 0:
                    var own = naive.Where(entry => entry.Machine == machine).ToList();
                    if (own.Count == ControlLimits.ChallengesPerMachine) naive.Remove(own[0]);
                    naive.Add((machine, table.Issue(machine, _network)!, _clock.GetUtcNow()));
                    break;
                case 1 when naive.Count > 0:
                    var entry = naive[random.Next(naive.Count)];
                    var taken = table.Take(entry.Challenge.IdBytes(), machine, _network);
                    Assert.Equal(entry.Machine == machine, taken is not null);
                    if (taken is not null) naive.Remove(entry);
                    break;
                default:
                    _clock.Advance(TimeSpan.FromSeconds(random.Next(10)));
                    break;
            }
        }
#pragma warning restore CA5394
    }
}
