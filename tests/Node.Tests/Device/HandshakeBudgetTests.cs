using Mesh.Crypto;
using Mesh.Node.Device;

namespace Mesh.Node.Tests.Device;

/// <summary>What handshakes and idle peers may cost in memory. The figures are upper bounds with a little room; lower them when they fall.</summary>
[Collection(WholeProcess.Name)]
public sealed class HandshakeBudgetTests
{
    private const long BytesPerHandshake = 6 * 1024; // both ends' together: two sessions with their replay windows, and the way there
    private const long BytesPerIdlePeer = 1_300;

    [Fact]
    public void A_handshake_allocates_a_few_kilobytes_on_both_ends_together()
    {
        using var lab = new DeviceLab();
        var (a, b) = lab.Pair();
        const int Times = 200;
        long allocated = Allocation.Measure(Times, _ =>
        {
            lab.Time.Advance(TimeSpan.FromSeconds(1));
            a.Device.Control.Initiate(a.PeerOf(b), InitiationCause.NewKey);
            lab.Settle();
        });
        Assert.True(a.Events.Count >= Times, $"{a.Events.Count} sessions were made");
        Assert.True(allocated / Times <= BytesPerHandshake, $"{allocated / Times} bytes");
    }

    [Fact]
    public void An_idle_peer_is_small()
    {
        using var lab = new DeviceLab();
        LabNode node = lab.Add(1);
        var keys = new X25519PublicKey[2_000];
        for (int i = 0; i < keys.Length; i++)
        {
            using var key = X25519PrivateKey.Generate();
            keys[i] = key.PublicKey;
        }
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < keys.Length; i++)
            node.Device.AllowedIps.Set(new IpPrefix(new IpAddressBits(false, (ulong)i << 32, 0), 32), node.Device.AddPeer(keys[i])!);
        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / keys.Length;
        GC.KeepAlive(keys);
        Assert.True(each <= BytesPerIdlePeer, $"{each} bytes");
    }

    [Fact]
    public void As_many_ephemeral_keys_are_made_ahead_as_there_are_peers_and_each_is_used_once()
    {
        using var keys = new EphemeralKeys();
        Assert.False(keys.MakeOne());
        keys.WantFor(2);
        Assert.True(keys.MakeOne());
        Assert.True(keys.MakeOne());
        Assert.False(keys.MakeOne());
        using X25519PrivateKey first = keys.Take(), second = keys.Take(), third = keys.Take();
        Assert.Equal(3, new HashSet<X25519PublicKey> { first.PublicKey, second.PublicKey, third.PublicKey }.Count);
        Assert.True(keys.MakeOne());
    }
}
