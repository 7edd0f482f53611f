namespace Mesh.Simulation;

/// <param name="PeersOfEach">How many others a node knows, on average.</param>
/// <param name="FaultsEvery">The mean time between two faults of one kind at one node.</param>
internal sealed record WorldSize(int Nodes, int PeersOfEach, TimeSpan FaultsEvery);

/// <summary>Who knows whom, and who sends whom how much.</summary>
internal static class Topology
{
    public static void Build(World world, WorldSize size)
    {
        Random random = world.Random;
        int pairs = Math.Min(size.Nodes * size.PeersOfEach / 2, size.Nodes * (size.Nodes - 1) / 2);
        for (int made = 0; made < pairs;)
        {
            int one = random.Next(1, size.Nodes + 1), other = random.Next(1, size.Nodes + 1);
            if (one == other || world.Knows(one, other)) continue;
            made++;
            byte[] psk = new byte[32];
            random.NextBytes(psk);
            var pair = new Pair(world, world.Node(Math.Min(one, other)), world.Node(Math.Max(one, other)))
            {
                PresharedKey = random.Next(3) == 0 ? psk : null,
                PersistentKeepalive = random.Next(4) == 0 ? TimeSpan.FromSeconds(25) : TimeSpan.Zero,
                OverIPv6 = random.Next(3) == 0,
            };
            world.Add(pair);
            // Both ways, one way, or none at all but keepalives.
            int ways = random.Next(8);
            if (ways != 0) world.Add(MakeFlow(world, pair, pair.Low));
            if (ways > 1) world.Add(MakeFlow(world, pair, pair.High));
        }
        foreach (SimulatedNode node in world.Nodes) node.Start();
        foreach (Flow flow in world.Flows) world.Every(TimeSpan.FromSeconds(5), jittered: false, flow.Check);
        foreach (SimulatedNode node in world.Nodes) world.Every(TimeSpan.FromSeconds(60), jittered: false, () => world.Audit.Sweep(node));
        Faults.Arrange(world, size);
    }

    private static Flow MakeFlow(World world, Pair pair, SimulatedNode from)
    {
        Random random = world.Random;
        return random.Next(5) switch
        {
            0 => Steady(1),
            1 => Steady(random.Next(3, 20)),
            2 => Steady(random.Next(60, 600)), // a new session for nearly every packet
            3 => new Flow(world, pair, from, TimeSpan.FromSeconds(2), TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(10)),
            _ => new Flow(world, pair, from, TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(3)),
        };
        Flow Steady(int seconds) => new(world, pair, from, TimeSpan.FromSeconds(seconds), TimeSpan.Zero, TimeSpan.Zero);
    }
}
