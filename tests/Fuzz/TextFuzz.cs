using System.Net;
using Mesh.Node.Device;
using Mesh.Node.Udp;
using Mesh.Protocol;

namespace Mesh.Fuzz;

/// <summary>Text that people and other machines write: endpoints, prefixes, join links, names.</summary>
public sealed class TextFuzz(ITestOutputHelper output)
{
    private const int PerEpoch = 500;

    [Fact]
    public void Endpoints_are_read_as_they_are_written_or_refused()
    {
        var corpus = Corpus.Lines("endpoints.txt");
        int taken = 0;
        var run = new FuzzRun("endpoints", output);
        run.Run(40, random => Each(run, new Mutator(random, corpus, ":", "[", "]", "%", "%lo", "%1", ".", "::", "0", "ffff:", "65536"), text =>
        {
            if (!UdpEndpoint.TryParse(text, out UdpEndpoint endpoint))
            {
                Assert.Equal("none", endpoint.ToString());
                if (text.Length % 16 == 0) Assert.Throws<FormatException>(() => UdpEndpoint.Parse(text));
                return;
            }
            taken++;
            Assert.Equal(endpoint, UdpEndpoint.Parse(text));
            Assert.True(UdpEndpoint.TryParse(endpoint.ToString(), out UdpEndpoint again), endpoint.ToString());
            Assert.Equal(endpoint, again);
            Assert.Equal(endpoint.ToString(), again.ToString());
            Assert.Equal(endpoint.Port, UdpEndpoint.From(endpoint.ToAddress(), endpoint.Port).Port);
        }), () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    [Fact]
    public void Prefixes_are_read_as_they_are_written_or_refused()
    {
        var corpus = Corpus.Lines("prefixes.txt");
        int taken = 0;
        var run = new FuzzRun("prefixes", output);
        run.Run(40, random => Each(run, new Mutator(random, corpus, "/", "/0", "/32", "/128", "/129", ".", ":", "::", "%1", "0x", "-"), text =>
        {
            if (!IpPrefix.TryParse(text, out IpPrefix prefix)) return;
            taken++;
            Assert.InRange(prefix.Length, 0, prefix.Address.Bits);
            Assert.True(prefix.Contains(prefix.Address));
            Assert.False(prefix.Contains(IpAddressBits.From(prefix.Address.IsV6 ? IPAddress.Any : IPAddress.IPv6Any)));
            if (prefix.Length > 0) Assert.False(prefix.Contains(prefix.Address with { High = prefix.Address.High ^ (1UL << 63) }));
            if (prefix.Length == 128) Assert.False(prefix.Contains(prefix.Address with { Low = prefix.Address.Low ^ 1 }));
            Assert.True(IpPrefix.TryParse(prefix.ToString(), out IpPrefix again), prefix.ToString());
            Assert.Equal(prefix, again);
            IPAddress address = IPAddress.Parse(text.Split('/')[0]);
            Assert.True(prefix.Contains(IpAddressBits.From(address)));
        }), () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    [Fact]
    public void Join_links_are_read_as_they_are_written_or_refused_with_a_reason_that_holds_no_secret()
    {
        var corpus = Corpus.Lines("joinlinks.txt");
        int taken = 0;
        JoinLink? before = null;
        var run = new FuzzRun("join links", output);
        run.Run(40, random => Each(run, new Mutator(random, corpus, "mesh://", "/", "#", "#mkey_", ":", "[", "]", "default", "mkey_", "-", "_", "=", ":0", ":65536"), text =>
        {
            if (!JoinLink.TryParse(text, out JoinLink? link, out string? error))
            {
                Assert.NotEmpty(error);
                if (text.IndexOf('#', StringComparison.Ordinal) is var hash and >= 0 && text.Length - hash > 10)
                    Assert.DoesNotContain(text[(hash + 1)..], error, StringComparison.Ordinal);
                return;
            }
            taken++;
            Assert.True(JoinLink.TryParse(link.Reveal(), out JoinLink? again, out _));
            Assert.Equal(link, again);
            Assert.DoesNotContain('#', link.ToString());
            Assert.Equal(32, link.Pin.Length);
            Assert.Equal(link.Equals(before), link.Reveal() == before?.Reveal());
            before = link;
        }), () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    [Fact]
    public void Names_of_networks_and_machines_are_labels_or_refused()
    {
        var corpus = Corpus.Lines("names.txt");
        int taken = 0;
        var run = new FuzzRun("names", output);
        run.Run(40, random => Each(run, new Mutator(random, corpus, "-", "--", ".", "xn--", "A", " ", "0"), text =>
        {
            bool valid = DnsLabel.IsValid(text);
            Assert.Equal(valid, text.Length is > 0 and <= 63 && text.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-') && text[0] != '-' && text[^1] != '-');
            Assert.Equal(valid, NetworkName.IsValid(text));
            Assert.True(DnsLabel.IsValid(DnsLabel.From(text)), text);
            if (valid) Assert.Equal(text, DnsLabel.From(text));
            taken += valid ? 1 : 0;
        }), () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    private static void Each(FuzzRun run, Mutator mutator, Action<string> check)
    {
        for (int i = 0; i < PerEpoch; i++)
        {
            string text = mutator.NextText();
            run.Try(text);
            check(text);
        }
    }
}
