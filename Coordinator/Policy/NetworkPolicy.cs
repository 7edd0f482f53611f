using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy;

/// <summary>The policy that a network is under, over the nodes that it has. Immutable.</summary>
public sealed record NetworkPolicy(FleetPolicy Fleet)
{
    /// <summary>Everybody reaches everybody.</summary>
    public const string AllowAllText = """{"acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]}""";

    /// <summary>Nobody sees anybody: the policy of a network that was given none.</summary>
    public const string DenyAllText = """{"acls": []}""";

    public PolicyProgram Program => Fleet.Program;

    public string Text => Program.Document.Text;

    /// <summary>
    /// Set since, by another version of the coordinator, and no policy in this one's eyes: what stood before it stands. Null as a rule.
    /// </summary>
    public UnreadPolicy? Unread { get; init; }

    /// <summary>A policy over no nodes.</summary>
    /// <exception cref="PolicyRefusedException">The text is no policy.</exception>
    public static NetworkPolicy Of(string text) => new(new FleetPolicy(new PolicyProgram(PolicyDocument.Parse(text))));
}

/// <summary>A stored policy that this version refuses.</summary>
public sealed record UnreadPolicy(string Text, PolicyProblem Problem);
