using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;
using Mesh.Node.Control;
using Mesh.Node.Tests;
using Mesh.Node.Tests.Filter;
using Mesh.Protocol.Control;

namespace Mesh.EndToEnd.Policies;

/// <summary>
/// From a policy to packets: what the coordinator compiles goes as a frame to each node, whose filter then judges packets; what
/// passes must be what <c>policy eval</c> says, which is held against the reference implementation elsewhere.
/// </summary>
public sealed class PolicyPacketTests(ITestOutputHelper output)
{
    private static readonly string[] Outside = ["8.8.8.8", "192.0.2.77", "2001:4860:4860::8888"];

    public static TheoryData<string> Files => ["acl", "grant", "mixed", "nodeattrs", "policytest", "routes", "ssh", "sshtest"];

    [Theory]
    [MemberData(nameof(Files))]
    public void Packets_pass_where_the_evaluated_policy_says_so_and_nowhere_else(string file)
    {
        string path = Path.Combine(Environment.GetEnvironmentVariable("MESH_TEST_DATA") ?? "", "policy-captures", file + ".json");
        Assert.SkipUnless(File.Exists(path), $"no policy-captures/{file}.json in the shared test data; set MESH_TEST_DATA to their folder");
        using var cases = JsonDocument.Parse(File.ReadAllBytes(path));
        int compared = 0, passed = 0, policies = 0;
        foreach (var one in cases.RootElement.EnumerateArray().Where(one => one.GetProperty("responseCode").GetInt32() == 200))
        {
            var (all, through) = Compare(one.GetProperty("id").GetString()!, one.GetProperty("policy").GetRawText(),
                $$"""{"users": {{one.GetProperty("users").GetRawText()}}, "nodes": {{one.GetProperty("nodes").GetRawText()}}}""");
            (compared, passed, policies) = (compared + all, passed + through, policies + 1);
        }
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: {policies} policies, {compared:N0} packets, {passed:N0} of them passed"));
        Assert.True(policies > 0 && passed > 0 && passed < compared);
    }

    private static (int Compared, int Passed) Compare(string id, string policy, string nodes)
    {
        var program = new PolicyProgram(PolicyDocument.Parse(Encoding.UTF8.GetBytes(policy)));
        var fleet = EvaluatedFleet.Parse(Encoding.UTF8.GetBytes(nodes));
        var evaluation = new PolicyEvaluation(program, fleet);
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream)) evaluation.WriteTo(writer);
        using var json = JsonDocument.Parse(stream.ToArray());
        var addresses = fleet.Nodes.SelectMany(node => node.Subject.Addresses.Select(address => (Address: AddressOf(address), node.Subject.Id))).ToDictionary(pair => pair.Address, pair => pair.Id);
        var sources = addresses.Keys.Concat(fleet.Nodes.SelectMany(node => node.Subject.Routes).Where(route => !route.IsDefaultRoute).Distinct().Select(Inside))
            .Concat(Outside.Select(IPAddress.Parse)).Distinct().ToList();
        int compared = 0, passed = 0;
        foreach (var viewer in fleet.Nodes)
        {
            var evaluated = json.RootElement.GetProperty(viewer.Name);
            var filter = new EvaluatedFilter(evaluated.GetProperty("packetFilter"));
            var map = MapOf(viewer, program, fleet, evaluation, evaluated.GetProperty("peers"));
            using var probe = new PacketProbe(map, new ManualTime());
            var own = viewer.Subject.Addresses.Select(AddressOf).ToList();
            foreach (var to in own.Concat(viewer.Subject.Routes.Select(route => route.IsDefaultRoute ? new IPAddress([8, 8, 4, 4]) : Inside(route))).Distinct())
            {
                foreach (var from in sources.Where(source => source.AddressFamily == to.AddressFamily && !own.Contains(source)))
                {
                    // What nobody is the router for can't arrive.
                    bool arrives = map.Peers.Values.Any(peer => peer.Prefixes.Any(prefix => prefix.Primary && prefix.ToNetwork().Contains(from)));
                    foreach (int protocol in filter.Protocols)
                    {
                        foreach (int port in protocol is 6 or 17 or 132 ? filter.Boundaries : [0])
                        {
                            bool allowed = filter.Allows(from, to, protocol, port), should = arrives && allowed, does = probe.Accepts(from, to, (byte)protocol, port);
                            if (allowed && addresses.TryGetValue(from, out ulong sender))
                                Assert.True(map.Peers.ContainsKey(sender), $"{id}: {viewer.Name} does not see {from}, which may send to {to}");
                            Assert.True(should == does, $"{id}: {viewer.Name}: {from} to {to}, protocol {protocol}, port {port}: {(does ? "passes" : "dropped")} against the evaluation");
                            compared++;
                            if (does) passed++;
                        }
                    }
                }
            }
        }
        return (compared, passed);
    }

    /// <summary>What the viewer makes of the frame that it is sent.</summary>
    private static NetworkMap MapOf(EvaluatedNode viewer, PolicyProgram program, EvaluatedFleet fleet, PolicyEvaluation evaluation, JsonElement peers)
    {
        var snapshot = new Snapshot
        {
            ResumeToken = ByteString.CopyFromUtf8("t"),
            Head = new LogHead { Position = 1, Hash = ByteString.CopyFrom(new byte[32]), Signature = ByteString.CopyFrom(new byte[64]) },
            Self = new Self
            {
                NodeId = viewer.Subject.Id, Name = "self", NodeKey = Key(viewer.Subject.Id), OwnerId = viewer.Subject.EffectiveOwnerId,
                ClassId = program.ClassOf(viewer.Subject).Id.Value, Addresses = { viewer.Subject.Addresses.Select(address => ToWire(address.ToString(), true)) },
            },
            Filter = PacketFilter.Parser.ParseFrom(FilterEntry.Encode(evaluation.Fleet.IngressOf(program.ClassOf(viewer.Subject)))),
        };
        HashSet<string> held = [];
        foreach (var node in fleet.Nodes)
        {
            if (!peers.TryGetProperty(node.Name, out var seen)) continue;
            var peer = new Peer
            {
                NodeId = node.Subject.Id, Kind = PeerKind.Mesh, Name = $"n{node.Subject.Id}", NodeKey = Key(node.Subject.Id), OwnerId = node.Subject.EffectiveOwnerId,
                ClassId = program.ClassOf(node.Subject).Id.Value,
            };
            // An exit node is used by who chooses it, and a route by way of one router.
            foreach (string prefix in seen.GetProperty("allowedIPs").EnumerateArray().Select(prefix => prefix.GetString()!))
                peer.Prefixes.Add(ToWire(prefix, primary: !prefix.EndsWith("/0", StringComparison.Ordinal) && held.Add(prefix)));
            snapshot.Peers.Add(peer);
        }
        byte[] frame = new MapFrame { Snapshot = snapshot }.ToByteArray();
        var fault = NetworkMap.Create(MapFrame.Parser.ParseFrom(frame).Snapshot, out var map);
        if (map is null) Assert.Fail($"{viewer.Name} refuses its map: {fault}");
        return map;
    }

    private static Prefix ToWire(string text, bool primary)
    {
        var network = text.Contains('/', StringComparison.Ordinal) ? IPNetwork.Parse(text) : new IPNetwork(IPAddress.Parse(text), text.Contains(':', StringComparison.Ordinal) ? 128 : 32);
        return new Prefix { Address = ByteString.CopyFrom(network.BaseAddress.GetAddressBytes()), Length = (uint)network.PrefixLength, Primary = primary };
    }

    private static ByteString Key(ulong id) => ByteString.CopyFrom([.. BitConverter.GetBytes(id), .. new byte[24]]);

    private static IPAddress AddressOf(IpPrefix prefix) => IPAddress.Parse(prefix.FirstAddress().ToString()!);

    private static IPAddress Inside(IpPrefix route)
    {
        byte[] address = AddressOf(route).GetAddressBytes();
        var network = IPNetwork.Parse(route.ToString());
        int host = address.Length * 8 - network.PrefixLength;
        address[^1] += (byte)Math.Min(9, host >= 8 ? 9 : (1 << host) - 1);
        return new IPAddress(address);
    }
}
