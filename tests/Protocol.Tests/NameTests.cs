using FsCheck;
using FsCheck.Fluent;
using Mesh.Tests;

namespace Mesh.Protocol.Tests;

public sealed class NameTests
{
    public static TheoryData<string> Good => ["a", "7", "a-b", "a--b", "0-0", "build-7", new string('z', 63)];

    public static TheoryData<string> Bad =>
        ["", "-", "-a", "a-", "A", "a.b", "a_b", "a b", "a/b", "..", "a\0", "é", "а", "ａ", "a\n", new string('z', 64)];

    [Theory]
    [MemberData(nameof(Good))]
    public void A_label_is_also_a_network_name(string name)
    {
        Assert.True(DnsLabel.IsValid(name));
        Assert.True(NetworkName.IsValid(name));
        Assert.Equal(name, DnsLabel.From(name));
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void What_is_no_label_is_no_network_name(string name)
    {
        Assert.False(DnsLabel.IsValid(name));
        Assert.False(NetworkName.IsValid(name));
    }

    [Fact]
    public void The_default_network_has_a_valid_name() => Assert.True(NetworkName.IsValid(NetworkName.Default));

    [Theory]
    [InlineData("Laptop", "laptop")]
    [InlineData("web-1.corp.example.com", "web-1")]
    [InlineData("Anna's MacBook Pro", "anna-s-macbook-pro")]
    [InlineData("__x__", "x")]
    [InlineData("a  -  b", "a-b")]
    [InlineData("müller", "m-ller")]
    [InlineData("-dash-", "dash")]
    [InlineData("xn--Bcher-kva.local", "xn--bcher-kva")]
    [InlineData("", "node")]
    [InlineData(".local", "node")]
    [InlineData("日本", "node")]
    [InlineData("\0\n\ud800", "node")]
    public void A_host_name_becomes_the_nearest_label(string hostname, string label) => Assert.Equal(label, DnsLabel.From(hostname));

    [Fact]
    public void A_long_host_name_is_cut_and_never_ends_in_a_dash()
    {
        Assert.Equal(new string('a', 63), DnsLabel.From(new string('a', 200)));
        Assert.Equal(new string('a', 62), DnsLabel.From(new string('a', 62) + "-b"));
    }

    [Fact]
    public void Any_string_becomes_a_label_that_stays_what_it_is() =>
        SeededProperty.Holds(
            Gen.OneOf(ArbMap.Default.GeneratorFor<string>().Select(s => s ?? ""),
                Gen.Elements("abzAZ09-._ \0éÉKı".ToCharArray()).ListOf().Select(c => string.Concat(c)),
                Gen.Elements("aB-.".ToCharArray()).ListOf(80).Select(c => string.Concat(c))),
            hostname => DnsLabel.IsValid(DnsLabel.From(hostname)) && DnsLabel.From(DnsLabel.From(hostname)) == DnsLabel.From(hostname),
            count: 1000);
}
