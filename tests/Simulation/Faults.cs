using Mesh.Node.Udp;

namespace Mesh.Simulation;

/// <summary>What goes wrong in the world: the weather of the underlay, restarts, clocks, moves, cuts, and who forges and replays.</summary>
internal static class Faults
{
    private static readonly double[] Losses = [0, 0.01, 0.05, 0.2];

    public static void Arrange(World world, WorldSize size)
    {
        Random random = world.Random;
        world.Network.Duplication = 0.02;
        world.Randomly(TimeSpan.FromMinutes(10), () => world.Network.Loss = Losses[random.Next(Losses.Length)]);
        foreach (SimulatedNode node in world.Nodes)
        {
            world.Randomly(size.FaultsEvery, () => Restart(world, node));
            world.Randomly(size.FaultsEvery, () => SetClock(world, node));
            world.Randomly(size.FaultsEvery, () => Move(world, node));
            world.Randomly(size.FaultsEvery, () => CutOff(world, node));
        }
        foreach (Pair pair in world.Pairs) world.Randomly(size.FaultsEvery, () => CutPair(world, pair));
        FakeUdpTransport stranger = world.Network.Attach(4444, System.Net.IPAddress.Parse("198.51.100.1"));
        world.Randomly(TimeSpan.FromSeconds(20), () => Replay(world, stranger));
        world.Randomly(TimeSpan.FromSeconds(20), () => Forge(world));
    }

    private static void Restart(World world, SimulatedNode node)
    {
        if (!node.IsUp) return;
        node.Stop();
        Disturb(world, node);
        TimeSpan down = TimeSpan.FromMilliseconds(100) + world.Exponential(TimeSpan.FromSeconds(world.Random.Next(2) == 0 ? 1 : 120));
        world.After(down, () =>
        {
            // A machine without a battery may come up in the past.
            if (world.Random.Next(4) == 0) node.Clock.Offset -= world.Exponential(TimeSpan.FromHours(1));
            node.Start();
            Disturb(world, node);
            // Nothing that it says is believed until its clock has caught up: nobody learns from it where it is.
            if (node.IsBehind) TellPeers(world, node, onlyWayToKnow: true);
        });
    }

    private static void SetClock(World world, SimulatedNode node)
    {
        TimeSpan by = world.Exponential(world.Random.Next(2) == 0 ? TimeSpan.FromSeconds(30) : TimeSpan.FromHours(6));
        node.Clock.Offset = world.Random.Next(3) switch { 0 => node.Clock.Offset + by, 1 => node.Clock.Offset - by, _ => TimeSpan.Zero };
    }

    /// <summary>The peers follow the mover's packets; somebody who knows tells them in the end.</summary>
    private static void Move(World world, SimulatedNode node)
    {
        node.Move();
        TellPeers(world, node, onlyWayToKnow: node.IsBehind);
    }

    private static void TellPeers(World world, SimulatedNode node, bool onlyWayToKnow)
    {
        TimeSpan told = world.Exponential(TimeSpan.FromMinutes(2));
        foreach (Pair pair in world.PairsOf(node))
        {
            SimulatedNode other = pair.Other(node);
            bool otherMovedToo = world.Time.Now - other.MovedAt < TimeSpan.FromMinutes(30);
            if (onlyWayToKnow || otherMovedToo || !pair.HasFlow(node)) pair.BlindUntil(world.Time.Now + told);
            pair.Disturb(world.Time.Now + World.MaxLatency); // what still comes from the old address leads back there
            world.After(told, () => pair.TellEndpoint(other));
        }
    }

    private static void CutOff(World world, SimulatedNode node)
    {
        foreach (Pair pair in world.PairsOf(node)) CutBothWays(world, pair, world.Exponential(TimeSpan.FromSeconds(40)));
    }

    private static void CutPair(World world, Pair pair)
    {
        TimeSpan time = world.Exponential(TimeSpan.FromMinutes(world.Random.Next(2) == 0 ? 1 : 6));
        if (world.Random.Next(2) == 0) CutBothWays(world, pair, time);
        else CutOneWay(world, pair.Low.Number, pair.High.Number, time);
    }

    private static void CutBothWays(World world, Pair pair, TimeSpan time)
    {
        CutOneWay(world, pair.Low.Number, pair.High.Number, time);
        CutOneWay(world, pair.High.Number, pair.Low.Number, time);
    }

    private static void CutOneWay(World world, int from, int to, TimeSpan time)
    {
        world.Cut(from, to);
        world.After(time, () => world.Heal(from, to));
    }

    /// <summary>Somebody sends again, from elsewhere, what was taken in long ago.</summary>
    private static void Replay(World world, FakeUdpTransport stranger)
    {
        if (world.Audit.TakeReplay() is not { } replay) return;
        stranger.Send(replay.Datagram, replay.To.Endpoint4);
    }

    /// <summary>A host writes a packet under another's address.</summary>
    private static void Forge(World world)
    {
        Flow flow = world.Flows.ElementAt(world.Random.Next(world.Flows.Count));
        if (!flow.From.IsUp) return;
        int source = flow.From.Number % world.Nodes.Count + 1;
        flow.From.Tun.Inject(ProbePacket.Build(flow.From.Number, flow.To.Number, uint.MaxValue, 64, source));
        flow.From.Run();
    }

    private static void Disturb(World world, SimulatedNode node)
    {
        foreach (Pair pair in world.PairsOf(node)) pair.Disturb(world.Time.Now);
    }
}
