using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Language;

/// <summary>A rule of "acls" or "grants": from all its sources to all destinations of each access.</summary>
/// <param name="Section">"acls" or "grants".</param>
/// <param name="Index">In its section, from 0.</param>
public sealed record PolicyRule(string Section, int Index, PolicyPosition Position)
{
    public ImmutableArray<Selector> Sources { get; init; } = [];

    public ImmutableArray<PolicyAccess> Accesses { get; init; } = [];

    /// <summary>The destinations of <see cref="Capabilities"/>.</summary>
    public ImmutableArray<Selector> Destinations { get; init; } = [];

    /// <summary>Application capabilities by name, in order, each value as compact JSON.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Capabilities { get; init; } = [];

    /// <summary>Only through routers with one of these tags; empty for any way.</summary>
    public ImmutableArray<string> Via { get; init; } = [];

    /// <summary>It asks for a state of the source's machine, which nobody checks here: so it grants nothing.</summary>
    public bool NeedsPosture { get; init; }

    /// <summary>"acls[3] (line 12)".</summary>
    public override string ToString() =>
        Position == default ? "the lack of acls and grants, which allows all" : $"{Section}[{Index}] (line {Position.Line})";
}

/// <summary>What a rule lets through: destinations by protocols and ports.</summary>
/// <param name="Protocols">IP protocol numbers; empty means TCP, UDP and ICMP of both families.</param>
/// <param name="Ports">Empty means all.</param>
public sealed record PolicyAccess(ImmutableArray<Selector> Destinations, ImmutableArray<byte> Protocols, ImmutableArray<PortSpan> Ports);
