using System.Net;
using Mesh.Node.Device;

namespace Mesh.Node.Tests.Device;

public sealed class AllowedIpsTests : IDisposable
{
    private readonly DeviceLab _lab = new();
    private readonly Peer[] _peers;

    public AllowedIpsTests()
    {
        WireGuardDevice device = _lab.Add(200).Device;
        _peers = [.. Enumerable.Range(1, 8).Select(i => device.SetPeer((ulong)i, Mesh.Crypto.X25519PrivateKey.Generate().PublicKey)!)];
    }

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void The_longest_prefix_wins_in_both_families_and_the_families_do_not_mix()
    {
        var ips = new AllowedIps();
        foreach (var (text, peer) in new[] { ("0.0.0.0/0", 0), ("10.0.0.0/8", 1), ("10.1.0.0/16", 2), ("10.1.2.3/32", 3), ("::/0", 4), ("fd00::/8", 5), ("fd00::1/128", 6) })
            ips.Set(Prefix(text), _peers[peer]);
        foreach (var (text, peer) in new[] { ("9.9.9.9", 0), ("10.9.9.9", 1), ("10.1.9.9", 2), ("10.1.2.3", 3), ("2001:db8::1", 4), ("fd00::2", 5), ("fd00::1", 6) })
            Assert.Same(_peers[peer], ips.Lookup(IpAddressBits.From(IPAddress.Parse(text))));
    }

    [Fact]
    public void A_prefix_given_to_another_peer_moves()
    {
        var ips = new AllowedIps();
        ips.Set(Prefix("10.0.0.0/24"), _peers[0]);
        ips.Set(Prefix("10.0.0.0/24"), _peers[1]);
        Assert.Empty(ips.Of(_peers[0]));
        Assert.Equal([Prefix("10.0.0.0/24")], ips.Of(_peers[1]));
        Assert.False(ips.Remove(Prefix("10.0.0.0/24"), _peers[0]));
        Assert.True(ips.Remove(Prefix("10.0.0.0/24"), _peers[1]));
        Assert.Null(ips.Lookup(IpAddressBits.From(IPAddress.Parse("10.0.0.1"))));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Any_sequence_of_changes_gives_what_a_list_searched_from_end_to_end_gives(int seed)
    {
        var random = new Random(seed);
        var ips = new AllowedIps();
        var model = new Dictionary<IpPrefix, Peer>();
        for (int step = 0; step < 20_000; step++)
        {
            IpPrefix prefix = RandomPrefix(random);
            Peer peer = _peers[random.Next(_peers.Length)];
            switch (random.Next(20))
            {
                case < 11:
                    ips.Set(prefix, peer);
                    model[prefix] = peer;
                    break;
                case < 19:
                    if (model.Count > 0 && random.Next(3) > 0) prefix = model.Keys.ElementAt(random.Next(model.Count));
                    Peer? owner = model.GetValueOrDefault(prefix);
                    Assert.Equal(owner is not null, ips.Remove(prefix, owner ?? peer));
                    model.Remove(prefix);
                    break;
                default:
                    if (random.Next(20) > 0) break;
                    ips.RemoveAll(peer);
                    foreach (IpPrefix gone in model.Where(entry => entry.Value == peer).Select(entry => entry.Key).ToList()) model.Remove(gone);
                    break;
            }
            IpAddressBits address = RandomPrefix(random, full: true).Address;
            Peer? expected = model.Where(entry => entry.Key.Contains(address)).OrderByDescending(entry => entry.Key.Length).Select(entry => entry.Value).FirstOrDefault();
            Assert.True(expected == ips.Lookup(address), $"seed {seed}, step {step}, {address}");
        }
        foreach (Peer peer in _peers)
            Assert.Equal(model.Where(entry => entry.Value == peer).Select(entry => entry.Key).ToHashSet(), ips.Of(peer).ToHashSet());
    }

    [Theory]
    [InlineData("10.0.0.1/24", "10.0.0.0/24")]
    [InlineData("10.0.0.1", "10.0.0.1/32")]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    [InlineData("fd00::1/64", "fd00::/64")]
    [InlineData("::/0", "::/0")]
    [InlineData("fd00::1/127", "fd00::/127")]
    public void Prefixes_are_read_with_their_host_bits_cleared(string text, string canonical) =>
        Assert.Equal(canonical, Prefix(text).ToString());

    [Theory]
    [InlineData("10.0.0.1/33")]
    [InlineData("10.0.0.1/")]
    [InlineData("10.0.0/8")]
    [InlineData("10.0.0.1/-1")]
    [InlineData("10.0.0.1/+8")]
    [InlineData("fd00::1/129")]
    [InlineData("fe80::1%eth0/64")]
    [InlineData("")]
    [InlineData("x")]
    public void What_is_no_prefix_is_refused(string text) => Assert.False(IpPrefix.TryParse(text, out _));

    private static IpPrefix Prefix(string text)
    {
        Assert.True(IpPrefix.TryParse(text, out IpPrefix prefix));
        return prefix;
    }

    /// <summary>From a small part of the address space, so that prefixes nest and collide.</summary>
    private static IpPrefix RandomPrefix(Random random, bool full = false)
    {
        bool v6 = random.Next(2) == 0;
        byte[] bytes = new byte[v6 ? 16 : 4];
        bytes[0] = 10;
        bytes[1] = (byte)random.Next(2);
        bytes[^2] = (byte)(random.Next(2) << 7);
        bytes[^1] = (byte)random.Next(256);
        int bits = bytes.Length * 8;
        int length = full ? bits : random.Next(4) switch { 0 => random.Next(bits + 1), 1 => bits, 2 => bits - random.Next(9), _ => 8 + random.Next(9) };
        return IpPrefix.From(new IPAddress(bytes), length);
    }
}
