using System.Text.Json;

namespace Mesh.EndToEnd.Policies;

/// <summary>What <c>policy eval --json</c> printed: what each machine lets in, and whom it sees.</summary>
internal sealed class PolicyVerdicts
{
    private readonly Dictionary<string, (EvaluatedFilter Filter, string[] Peers)> _machines = [];

    public static PolicyVerdicts Parse(string json)
    {
        using var printed = JsonDocument.Parse(json);
        var verdicts = new PolicyVerdicts();
        foreach (var node in printed.RootElement.GetProperty("nodes").EnumerateObject())
        {
            verdicts._machines.Add(node.Name, (new EvaluatedFilter(node.Value.GetProperty("packetFilter")),
                [.. node.Value.GetProperty("peers").EnumerateObject().Select(peer => peer.Name).Order(StringComparer.Ordinal)]));
        }
        return verdicts;
    }

    public bool Allows(Probe probe) => _machines[probe.To].Filter.Allows(probe.Source, probe.Target, probe.Protocol, probe.Port);

    /// <summary>Names, in order.</summary>
    public IReadOnlyList<string> PeersOf(string machine) => _machines[machine].Peers;
}
