using System.Text;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Policy;

public sealed class PolicyLanguageTests
{
    [Fact]
    public void Comments_and_trailing_commas_are_taken()
    {
        var policy = PolicyDocument.Parse("""
            // who may
            {"acls": [{"action": "accept", "src": ["*"], "dst": ["*:22"],},], /* what */ }
            """);
        var rule = Assert.Single(policy.Rules);
        Assert.Equal([new PortSpan(22, 22)], rule.Accesses[0].Ports);
        Assert.False(policy.AllowsAllByDefault);
    }

    [Theory]
    [InlineData("{\n  \"acls\": [\n    {\"action\": \"accept\", \"src\": [\"tag:web\"], \"dst\": [\"*:*\"]}]}", 3, 34, "tag not found")]
    [InlineData("{\"acls\": [{\"action\": \"deny\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}", 1, 22, "invalid ACL action")]
    [InlineData("{\"acls\": [],\n \"acls\": []}", 2, 2, "acls")]
    [InlineData("{\"acls\": [}", 1, 11, "")]
    [InlineData("", 1, 1, "")]
    [InlineData("[]", 1, 1, "an object")]
    public void What_is_wrong_is_told_with_its_line_and_column(string text, int line, int column, string words)
    {
        var problem = Assert.Throws<PolicyRefusedException>(() => PolicyDocument.Parse(text)).Problems[0];
        Assert.Equal(new PolicyPosition(line, column), problem.Position);
        Assert.Contains(words, problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"tagOwners": {"tag:server": []}, "acls": [{"action": "accept", "src": ["tag:sever"], "dst": ["*:*"]}]}""", "did you mean tag:server?")]
    [InlineData("""{"groups": {"group:eng": []}, "acls": [{"action": "accept", "src": ["*"], "dst": ["group:egn:22"]}]}""", "did you mean group:eng?")]
    [InlineData("""{"acl": []}""", "did you mean acls?")]
    public void A_fix_is_offered_where_one_can_be_guessed(string text, string suggestion)
    {
        var problem = Assert.Throws<PolicyRefusedException>(() => PolicyDocument.Parse(text)).Problems[0];
        Assert.Equal(suggestion, problem.Suggestion);
    }

    [Fact]
    public void A_policy_of_ten_megabytes_is_refused() => Refused(Encoding.UTF8.GetBytes("{\"acls\": [" + new string(' ', 10_000_000) + "]}"));

    [Fact]
    public void A_policy_ten_thousand_deep_is_refused() => Refused(Encoding.UTF8.GetBytes(new string('[', 10_000) + new string(']', 10_000)));

    [Fact]
    public void Bytes_that_are_no_text_are_refused() => Refused([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]);

    [Theory]
    [InlineData("""{"groups": {"group:a": ["group:b"], "group:b": ["group:a"]}}""")]
    [InlineData("""{"tagOwners": {"tag:sеrver": []}}""")] // The first e is Cyrillic.
    [InlineData("""{"hosts": {"web": "not an address"}}""")]
    [InlineData("""{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:0-70000"]}]}""")]
    [InlineData("""{"acls": [{"action": "accept", "proto": "999", "src": ["*"], "dst": ["*:*"]}]}""")]
    [InlineData("""{"grants": [{"src": ["*"], "dst": ["*"]}]}""")]
    public void What_cannot_be_meant_is_refused(string text) => Refused(Encoding.UTF8.GetBytes(text));

    [Fact]
    public void Truncated_and_changed_policies_are_refused_or_read_and_nothing_else()
    {
        byte[] whole = Encoding.UTF8.GetBytes("""
            {"groups": {"group:a": ["x@y.z"]}, "hosts": {"h": "10.0.0.1"}, "tagOwners": {"tag:t": ["group:a"]},
             "acls": [{"action": "accept", "proto": "tcp", "src": ["group:a", "h"], "dst": ["tag:t:22,80-90", "autogroup:self:*"]}],
             "grants": [{"src": ["*"], "dst": ["tag:t"], "ip": ["udp:53"], "app": {"x.io/c": [{}]}}], "tests": [{"src": "x@y.z", "accept": ["tag:t:22"]}]}
            """);
        var random = new Random(20261122);
        int refused = 0;
        for (int i = 0; i < 4000; i++)
        {
            byte[] changed = [.. whole.AsSpan(0, i < whole.Length ? i : whole.Length)];
            for (int flips = random.Next(i < whole.Length ? 1 : 4); flips > 0 && changed.Length > 0; flips--) changed[random.Next(changed.Length)] = (byte)random.Next(256);
            try
            {
                PolicyDocument.Parse(changed);
            }
            catch (PolicyRefusedException e)
            {
                Assert.NotEmpty(e.Problems);
                refused++;
            }
        }
        Assert.True(refused > 1000);
    }

    private static void Refused(byte[] text) => Assert.Throws<PolicyRefusedException>(() => PolicyDocument.Parse(text));
}
