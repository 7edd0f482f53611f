using Mesh.Crypto;

namespace Mesh.Node.Tests.Device;

/// <summary>
/// A flow both ways that never pauses, while one or both ends change their static keys, at every order in which the steps can
/// reach the two ends: not a packet may be lost. Handshakes fall due every two minutes, so that some meet every step.
/// </summary>
public sealed class KeyChangeTests : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    private readonly DeviceLab _lab = new();
    private readonly Dictionary<LabNode, X25519PrivateKey> _keys = [];

    public void Dispose()
    {
        _lab.Dispose();
        foreach (var key in _keys.Values) key.Dispose();
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    [InlineData(5, true)]
    [InlineData(6, true)]
    public void A_running_flow_loses_nothing_while_keys_change(int seed, bool both)
    {
        var (a, b) = _lab.Pair();
        var flow = new Flow(_lab, a, b);
        var random = new Random(seed);
        flow.Run(TimeSpan.FromSeconds(5));
        for (int i = 0; i < 4; i++)
        {
            List<Queue<Action>> ends = [Steps(a, b)];
            if (both) ends.Add(Steps(b, a));
            while (ends.Exists(steps => steps.Count > 0))
            {
#pragma warning disable CA5394
                var steps = ends[random.Next(ends.Count)];
                if (steps.TryDequeue(out var step)) step();
                flow.Run(TimeSpan.FromSeconds(random.Next(0, 150)));
#pragma warning restore CA5394
            }
        }
        flow.Run(TimeSpan.FromMinutes(5));
        flow.AssertNothingLost(seed);
    }

    [Fact]
    public void A_peer_that_has_not_heard_in_five_minutes_is_still_reached_within_a_retry()
    {
        var (a, b) = _lab.Pair();
        var flow = new Flow(_lab, a, b);
        flow.Run(TimeSpan.FromSeconds(5));
        var old = LabNode.Clone(a.Key);
        var next = X25519PrivateKey.Generate();
        var nextPublic = next.PublicKey;
        a.Device.SetKeys(old, LabNode.Clone(next));
        flow.Run(TimeSpan.FromMinutes(5));
        a.Device.SetKeys(LabNode.Clone(next), LabNode.Clone(a.Key)); // b knows of nothing
        flow.Run(TimeSpan.FromMinutes(5));
        b.Device.SetPeer(1, nextPublic);
        flow.Run(TimeSpan.FromMinutes(5));
        a.Device.SetKeys(next);
        flow.Run(TimeSpan.FromMinutes(5));
        flow.AssertNothingLost(0);
    }

    [Fact]
    public void A_node_that_comes_back_with_the_key_before_the_one_it_had_announced_is_answered()
    {
        var (a, b) = _lab.Pair();
        using var next = X25519PrivateKey.Generate();
        b.Device.SetPeer(1, next.PublicKey, a.Key.PublicKey); // b heard of a key that a, restored from a backup, never had
        byte[] sent = b.Send(a);
        _lab.Advance(TimeSpan.FromSeconds(12));
        Assert.Equal([sent], a.ReceiveAll());
    }

    /// <summary>What one change does at the node that makes it and at its peer, as the coordinator's acknowledgements order it.</summary>
    private Queue<Action> Steps(LabNode node, LabNode peer)
    {
        var current = _keys.GetValueOrDefault(node) ?? node.Key;
        var next = X25519PrivateKey.Generate();
        _keys[node] = next;
        var (old, fresh) = (current.PublicKey, next.PublicKey);
        return new Queue<Action>(
        [
            () => node.Device.SetKeys(LabNode.Clone(current), LabNode.Clone(next)),
            () => Assert.NotNull(peer.Device.SetPeer((ulong)node.Number, fresh, old)),
            () => node.Device.SetKeys(LabNode.Clone(next), LabNode.Clone(current)),
            () => Assert.NotNull(peer.Device.SetPeer((ulong)node.Number, fresh)),
            () =>
            {
                node.Device.SetKeys(LabNode.Clone(next));
                if (!ReferenceEquals(current, node.Key)) current.Dispose();
            },
        ]);
    }

    private sealed class Flow(DeviceLab lab, LabNode a, LabNode b)
    {
        private int _sent;
        private int _atA;
        private int _atB;

        public void Run(TimeSpan time)
        {
            for (var passed = TimeSpan.Zero; passed < time; passed += Tick)
            {
                a.Send(b);
                b.Send(a);
                _sent++;
                lab.Advance(Tick);
                (_atA, _atB) = (_atA + a.ReceiveAll().Count, _atB + b.ReceiveAll().Count);
            }
        }

        public void AssertNothingLost(int seed) => Assert.True((_sent, _sent) == (_atA, _atB), $"seed {seed}: of {_sent} each way, {_atA} and {_atB} arrived");
    }
}
