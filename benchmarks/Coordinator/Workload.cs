using System.Globalization;
using System.Text.Json;
using Mesh.Coordinator.Policy;

namespace Mesh.Benchmarks.Coordinator;

/// <summary>
/// A policy as companies write them, and a fleet under it, from a seed: groups of people reach tags on a few ports, tags reach
/// tags, some rules name hosts and subnets behind routers. How many kinds of machine there are depends on the policy alone, so
/// that fleets of all sizes have the same classes; the machines beyond the first of each kind are more of the same.
/// </summary>
internal sealed class Workload
{
    private const int PeopleInNoGroup = 20, Routers = 4;

    private static readonly string[] Ports = ["22", "443", "80,443", "5432", "6443,8443", "9000-9100", "*", "53"];

    private readonly Random _random;
    private readonly List<(int User, string[] Tags, string[] Routes)> _kinds = [];
    private readonly string[] _groups, _tags, _hosts;

    public Workload(int nodes, int rules, bool self, int seed)
    {
        _random = new Random(seed);
        (Nodes, RuleCount, Self) = (nodes, rules, self);
        _groups = [.. Enumerable.Range(0, Math.Max(3, rules / 5)).Select(i => Name("group:team", i))];
        _tags = [.. Enumerable.Range(0, Math.Max(4, rules / 8)).Select(i => Name("tag:service", i))];
        _hosts = [.. Enumerable.Range(0, Math.Max(2, rules / 10)).Select(i => Name("host", i))];
        int people = 3 * _groups.Length + PeopleInNoGroup;
        Members = [.. _groups.Select(_ => Enumerable.Range(0, 5).Select(_ => _random.Next(people - PeopleInNoGroup)).Distinct().ToArray())];
        for (int user = 0; user < people; user++) _kinds.Add((user, [], []));
        foreach (string tag in _tags) _kinds.Add((0, [tag], []));
        for (int i = 0; i < 3 * _tags.Length; i++) _kinds.Add((0, [.. new[] { Pick(_tags), Pick(_tags) }.Distinct().Order(StringComparer.Ordinal)], []));
        for (int i = 0; i < Routers; i++) _kinds.Add((0, ["tag:router"], [Name("10.", i) + ".0.0/16"]));
        Text = Write(null);
        Changed = Write(_random.Next(rules));
        // The first of them have addresses that the policy calls hosts, and so classes of their own: their kinds come twice.
        Subjects = [.. Enumerable.Range(0, nodes).Select(i => Subject(i + 1, i < _kinds.Count + _hosts.Length ? i % _kinds.Count : _random.Next(_kinds.Count - Routers)))];
    }

    public int Nodes { get; }

    public int RuleCount { get; }

    public bool Self { get; }

    public string Text { get; }

    /// <summary>The same policy, where one rule lets other ports through.</summary>
    public string Changed { get; }

    public PolicySubject[] Subjects { get; }

    private int[][] Members { get; }

    /// <summary>Another machine of a kind that there is.</summary>
    public PolicySubject Joining(int number) => Subject(Nodes + 1 + number, number % (_kinds.Count - Routers));

    /// <summary>A machine of a kind that there is not: no other has these tags together.</summary>
    public PolicySubject Opening(int number) =>
        Joining(number) with { OwnerId = 0, UserName = "", UserEmail = "", Tags = [.. new[] { "tag:router", _tags[number % _tags.Length], _tags[(number + 1) % _tags.Length] }.Order(StringComparer.Ordinal)] };

    private PolicySubject Subject(int number, int kind)
    {
        var (user, tags, routes) = _kinds[kind];
        bool tagged = tags.Length > 0;
        return new PolicySubject
        {
            Id = (ulong)number,
            OwnerId = tagged ? 0 : (ulong)user + 1,
            UserName = tagged ? "" : Name("user", user),
            UserEmail = tagged ? "" : Email(user),
            Tags = [.. tags],
            IPv4 = IpPrefix.Parse(string.Create(CultureInfo.InvariantCulture, $"100.{64 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}")),
            IPv6 = IpPrefix.Parse(string.Create(CultureInfo.InvariantCulture, $"fd7a:115c:a1e0::{number >> 16:x}:{number & 0xffff:x}")),
            Routes = [.. routes.Select(IpPrefix.Parse)],
        };
    }

    private string Write(int? altered)
    {
        var random = new Random(RuleCount);
        List<object> rules = [];
        for (int i = 0; i < RuleCount; i++)
        {
            string ports = Ports[random.Next(Ports.Length)];
            rules.Add(Rule(random, i == altered ? "7777" : ports, Self && i % 20 == 0));
        }
        return JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["groups"] = _groups.Zip(Members).ToDictionary(group => group.First, group => group.Second.Select(Email).ToArray()),
            ["tagOwners"] = _tags.Append("tag:router").ToDictionary(tag => tag, _ => Array.Empty<string>()),
            // One half are machines of the network, the other subnets behind its routers.
            ["hosts"] = _hosts.Select((host, i) => (host, i)).ToDictionary(
                entry => entry.host, entry => entry.i % 2 == 0 ? Name("100.64.0.", 1 + entry.i) : Name("10.", entry.i % Routers) + Name(".", entry.i) + ".0/24"),
            ["acls"] = rules,
        });
    }

    private Dictionary<string, object> Rule(Random random, string ports, bool self)
    {
        string source = self ? (random.Next(3) > 0 ? "autogroup:member" : _groups[random.Next(_groups.Length)]) : random.Next(20) switch
        {
            < 11 => _groups[random.Next(_groups.Length)],
            < 16 => _tags[random.Next(_tags.Length)],
            16 => Email(random.Next(3 * _groups.Length)),
            17 => "autogroup:member",
            18 => _hosts[random.Next(_hosts.Length)],
            _ => "*",
        };
        string[] targets = self ? ["autogroup:self"] : [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(10) switch
        {
            < 7 => _tags[random.Next(_tags.Length)],
            < 9 => _hosts[random.Next(_hosts.Length)],
            _ => _groups[random.Next(_groups.Length)],
        }).Distinct()];
        return new()
        {
            ["action"] = "accept", ["src"] = new[] { source }, ["dst"] = targets.Select(target => $"{target}:{ports}").ToArray(),
        };
    }

    private string Pick(string[] from) => from[_random.Next(from.Length)];

    private static string Email(int user) => Name("user", user) + "@example.com";

    private static string Name(string stem, int number) => stem + number.ToString(CultureInfo.InvariantCulture);
}
