using System.Diagnostics;
using System.Text;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>Hostile policies: refused at a place, in bounded time.</summary>
public sealed class PolicyBoundsTests
{
    // Far above what any of these takes on a crowded machine, far below what a quadratic reading would.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    [Fact]
    public void Ten_megabytes_are_refused_where_they_go_too_far()
    {
        byte[] text = Encoding.UTF8.GetBytes("{\"acls\": [" + new string('\n', 10 * 1024 * 1024) + "]}");
        var problem = Refused(text);
        Assert.StartsWith($"the policy has {text.Length} bytes", problem.Message, StringComparison.Ordinal);
        Assert.True(problem.Position.Line > 1_000_000);
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{\"a\":")]
    public void Ten_thousand_levels_are_refused_where_they_go_too_deep(string level)
    {
        var problem = Refused("{\"acls\": " + string.Concat(Enumerable.Repeat(level, 10_000)));
        Assert.Equal($"more than {PolicyLimits.Depth} objects and arrays within each other", problem.Message);
        Assert.Equal(1, problem.Position.Line);
        Assert.InRange(problem.Position.Column, PolicyLimits.Depth, 400);
    }

    [Fact]
    public void A_megabyte_on_one_line_is_read_as_fast_as_on_many() =>
        Assert.Equal("a policy is an object, not an array", Refused("[" + string.Concat(Enumerable.Repeat("1,", 500_000)) + "]").Message);

    [Fact]
    public void Thousands_of_wrong_names_among_thousands_of_right_ones_cost_no_guess_for_each()
    {
        string owners = string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"\"tag:right{i}\":[]"));
        string sources = string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"\"tag:wrong{i}\""));
        var problem = Refused($"{{\"tagOwners\":{{{owners}}},\"acls\":[{{\"action\":\"accept\",\"src\":[{sources}],\"dst\":[\"*:*\"]}}]}}");
        Assert.Equal("src=tag not found: \"tag:wrong0\"", problem.Message);
    }

    [Fact]
    public void An_ssh_rule_of_thousands_of_sources_and_destinations_is_not_looked_at_pair_by_pair()
    {
        string users = string.Join(',', Enumerable.Repeat("\"a@b.example\"", 30_000));
        string text = $"{{\"ssh\":[{{\"action\":\"accept\",\"src\":[{users}],\"dst\":[{users}],\"users\":[\"root\"]}}]}}";
        long start = Stopwatch.GetTimestamp();
        Assert.Single(PolicyDocument.Parse(text).SshRules);
        Assert.True(Stopwatch.GetElapsedTime(start) < Bound);
    }

    [Theory]
    [InlineData("{\n\"acls\": [],\n\"ACLs\": []}", 3, 1, "duplicate key \"ACLs\"")]
    [InlineData("{\"groups\": {\"group:a\": [],\n  \"group:a\": []}}", 2, 3, "duplicate key \"group:a\"")]
    public void A_key_that_stands_twice_is_refused_at_the_second(string text, int line, int column, string message)
    {
        var problem = Refused(text);
        Assert.Equal(new PolicyPosition(line, column), problem.Position);
        Assert.Equal(message, problem.Message);
    }

    [Theory]
    [InlineData("tag:s\u0435rver", "tag names can only contain numbers, letters, or dashes")]
    [InlineData("tag:\u0455erver", "tag names must start with a letter, after 'tag:'")]
    [InlineData("tag:serve\uFF52", "tag names can only contain numbers, letters, or dashes")]
    [InlineData("tag:ser\u200bver", "tag names can only contain numbers, letters, or dashes")]
    public void Letters_that_only_look_like_those_of_a_tag_are_refused(string tag, string message) =>
        Assert.Equal($"tagOwners[\"{tag}\"]: {message}", Refused($"{{\"tagOwners\": {{\"{tag}\": []}}}}").Message);

    [Fact]
    public void What_acts_on_a_terminal_is_said_back_as_an_escape() =>
        Assert.Equal("unknown field: \"\\u001b[2J\"", Refused("{\"\\u001b[2J\": 1}").Message);

    [Fact]
    public void Columns_are_counted_in_characters_and_not_in_bytes() =>
        Assert.Equal(new PolicyPosition(1, 14), Refused("{ /* \u00e9\u00e9\u00e9\u00e9 */ \"nix\": 1}").Position);

    private static PolicyProblem Refused(string text) => Refused(Encoding.UTF8.GetBytes(text));

    private static PolicyProblem Refused(byte[] text)
    {
        long start = Stopwatch.GetTimestamp();
        var refused = Assert.Throws<PolicyRefusedException>(() => PolicyDocument.Parse(text));
        Assert.True(Stopwatch.GetElapsedTime(start) < Bound);
        Assert.InRange(refused.Problems.Count, 1, PolicyLimits.Problems);
        return refused.Problems[0];
    }
}
