using System.Buffers.Text;
using FsCheck;
using FsCheck.Fluent;
using Mesh.Tests;

namespace Mesh.Protocol.Tests;

public sealed class JoinLinkTests
{
    private const string Pin = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    private static readonly byte[] PinBytes = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    [Fact]
    public void A_whole_link_has_its_parts()
    {
        var link = Parse($"mesh://mesh.example.com:8443/{Pin}/default#mkey_abc-DEF_123");
        Assert.Equal("mesh.example.com", link.Host);
        Assert.Equal(8443, link.Port);
        Assert.Equal(PinBytes, link.Pin.ToArray());
        Assert.Equal("default", link.Network);
        Assert.Equal("mkey_abc-DEF_123", link.PreAuthKey);
    }

    [Fact]
    public void Without_a_key_it_waits_for_approval_and_without_a_network_it_names_a_coordinator()
    {
        var pending = Parse($"mesh://10.0.0.1:443/{Pin}/default");
        Assert.True(pending is { Network: "default", PreAuthKey: null });
        var coordinator = Parse($"mesh://10.0.0.1:443/{Pin}");
        Assert.True(coordinator is { Network: null, PreAuthKey: null });
        Assert.Equal(coordinator, Parse($"mesh://10.0.0.1:443/{Pin}/"));
    }

    [Fact]
    public void The_secret_appears_only_when_it_is_revealed()
    {
        string text = $"mesh://[fd00::1]:8443/{Pin}/lab#mkey_secret";
        var link = Parse(text);
        Assert.Equal(text, link.Reveal());
        Assert.Equal($"mesh://[fd00::1]:8443/{Pin}/lab", link.ToString());
        Assert.Equal($"mesh://[fd00::1]:8443/{Pin}", link.CoordinatorAddress);
        Assert.Equal("[fd00::1]:8443", link.Authority);
    }

    [Fact]
    public void Space_around_a_pasted_link_does_no_harm() =>
        Assert.Equal("default", Parse($"  mesh://h:1/{Pin}/default\r\n").Network);

    [Fact]
    public void Links_are_equal_by_value()
    {
        string text = $"mesh://h:1/{Pin}/default#mkey_a";
        Assert.Equal(Parse(text), Parse(text));
        Assert.Equal(Parse(text).GetHashCode(), Parse(text).GetHashCode());
        Assert.NotEqual(Parse(text), Parse(text + "b"));
        Assert.NotEqual(Parse(text), Parse($"mesh://h:1/{Pin}/default"));
        Assert.NotEqual(Parse(text), Parse(text) with { Pin = new byte[32] });
    }

    [Fact]
    public void Every_link_survives_its_text()
    {
        var hosts = Gen.Elements("h", "mesh.example.com", "a-b.c", "192.0.2.1", "::1", "2001:db8::ffff", "::ffff:192.0.2.1", "xn--bcher-kva.de");
        var pins = Gen.ArrayOf(ArbMap.Default.GeneratorFor<byte>(), 32);
        var keys = Gen.Elements("abcXYZ0189-_".ToCharArray()).NonEmptyListOf().Select(c => "mkey_" + string.Concat(c.Take(100)));
        var cases =
            from host in hosts
            from port in Gen.Choose(1, 65535)
            from pin in pins
            from network in Gen.Elements<string?>(null, "default", "a", "a-1", new string('n', 63))
            from key in Gen.OneOf(keys.Select(k => (string?)k), Gen.Constant<string?>(null))
            select new JoinLink(host, port, pin, network, network is null ? null : key);
        SeededProperty.Holds(cases, link =>
            Parse(link.Reveal()).Equals(link) && Parse(link.ToString()).Equals(link with { PreAuthKey = null })
            && Parse(link.CoordinatorAddress).Equals(link with { PreAuthKey = null, Network = null }));
    }

    public static TheoryData<string> Hostile =>
    [
        "", " ", "mesh:", "mesh://", "mesh:///", "MESH://h:1/" + Pin, "https://h:1/" + Pin, "mesh//h:1/" + Pin,
        "mesh://h:1", "mesh://h:1/", $"mesh://h:1/{Pin}/a/b", $"mesh://h:1/{Pin}/a/", $"mesh://h:1//{Pin}",
        // ports
        $"mesh://h/{Pin}", $"mesh://h:/{Pin}", $"mesh://h:0/{Pin}", $"mesh://h:65536/{Pin}", $"mesh://h:-1/{Pin}", $"mesh://h:+1/{Pin}",
        $"mesh://h:1e3/{Pin}", $"mesh://h: 1/{Pin}", $"mesh://h:000001/{Pin}", $"mesh://h:99999999999999999999/{Pin}", $"mesh://h:１/{Pin}",
        // hosts
        $"mesh://:1/{Pin}", $"mesh://a b:1/{Pin}", $"mesh://user@h:1/{Pin}", $"mesh://-h:1/{Pin}", $"mesh://a..b:1/{Pin}",
        $"mesh://h\0:1/{Pin}", $"mesh://h\n:1/{Pin}", $"mesh://bücher.de:1/{Pin}", $"mesh://аpple.com:1/{Pin}", $"mesh://１.２.３.４:1/{Pin}",
        $"mesh://127.1:1/{Pin}", $"mesh://0x7f.1:1/{Pin}", $"mesh://010.0.0.1:1/{Pin}", $"mesh://::1:1/{Pin}", $"mesh://[::1]/{Pin}",
        $"mesh://[]:1/{Pin}", $"mesh://[h]:1/{Pin}", $"mesh://[127.0.0.1]:1/{Pin}", $"mesh://[[::1]]:1/{Pin}", $"mesh://[[::1]:80]:1/{Pin}",
        $"mesh://[fe80::1%eth0]:1/{Pin}", $"mesh://[::1%1]:1/{Pin}", $"mesh://[::1:1/{Pin}", $"mesh://::1]:1/{Pin}", $"mesh://[1]:1/{Pin}",
        $"mesh://{new string('a', 64)}:1/{Pin}",
        // pins
        $"mesh://h:1/{Pin[1..]}/n", $"mesh://h:1/{Pin}A/n", $"mesh://h:1/{Pin}=/n", $"mesh://h:1/{Pin[..^1]}!/n", $"mesh://h:1/{Pin[..^1]}é/n",
        $"mesh://h:1/{Pin[..^1]}=/n", $"mesh://h:1/{Pin[..^1]}9/n", $"mesh://h:1/{Pin[..40]}   /n", $"mesh://h:1/{Pin[..^1]}+/n", $"mesh://h:1/{Pin[..^1]}%/n",
        // networks
        $"mesh://h:1/{Pin}/N", $"mesh://h:1/{Pin}/-n", $"mesh://h:1/{Pin}/n-", $"mesh://h:1/{Pin}/..", $"mesh://h:1/{Pin}/n_n", $"mesh://h:1/{Pin}/n?x",
        $"mesh://h:1/{Pin}/{new string('n', 64)}",
        // keys
        $"mesh://h:1/{Pin}/n#", $"mesh://h:1/{Pin}/n#mkey_", $"mesh://h:1/{Pin}/n#key_a", $"mesh://h:1/{Pin}/n#MKEY_a", $"mesh://h:1/{Pin}/n#mkey_a#b",
        $"mesh://h:1/{Pin}/n#mkey_a b", $"mesh://h:1/{Pin}/n#mkey_é", $"mesh://h:1/{Pin}/n#mkey_{new string('a', 124)}", $"mesh://h:1/{Pin}#mkey_a",
        $"mesh://h:1/{Pin}/#mkey_a", "#mkey_a",
        "mesh://" + new string('/', 2000), new string('m', 5000), "mesh://" + new string('[', 900),
    ];

    [Theory]
    [MemberData(nameof(Hostile))]
    public void Anything_else_is_refused_in_one_line_that_repeats_no_secret(string text)
    {
        Assert.False(JoinLink.TryParse(text, out var link, out string? error));
        Assert.Null(link);
        Assert.False(string.IsNullOrWhiteSpace(error));
        Assert.DoesNotContain('\n', error);
        Assert.DoesNotContain("mkey_a", error, StringComparison.Ordinal);
    }

    [Fact]
    public void No_string_throws()
    {
        string valid = $"mesh://[fd00::1]:8443/{Pin}/default#mkey_abc";
        var damaged =
            from at in Gen.Choose(0, valid.Length - 1)
            from cut in Gen.Choose(0, 4)
            from insert in Gen.OneOf(Gen.Elements("", ":", "/", "#", "[", "]", "%", "\0", "=", ".", "\ud800", "-", "0", " "),
                ArbMap.Default.GeneratorFor<string>().Where(s => s is not null))
            select valid[..at] + insert + valid[Math.Min(valid.Length, at + cut)..];
        SeededProperty.Holds(damaged, text =>
            // What is taken means the same when it is written out and read again.
            JoinLink.TryParse(text, out var link, out string? error) ? Parse(link.Reveal()).Equals(link) : error.Length > 0, count: 3000);
    }

    private static JoinLink Parse(string text)
    {
        Assert.True(JoinLink.TryParse(text, out var link, out string? error), error);
        return link;
    }

    [Fact]
    public void The_pin_is_written_as_base64url() => Assert.Equal(Pin, Base64Url.EncodeToString(PinBytes));
}
