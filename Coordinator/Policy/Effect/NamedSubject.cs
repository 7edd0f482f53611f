namespace Mesh.Coordinator.Policy.Effect;

/// <summary>A node of a network, by the name that people know it by.</summary>
public sealed record NamedSubject(string Name, PolicySubject Subject);
