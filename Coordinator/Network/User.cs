namespace Mesh.Coordinator.Network;

/// <summary>A person in a network. Who he is rests on the id: the name may change, and the display name is a label. Immutable.</summary>
public sealed record User
{
    /// <summary>Counts up from 1 in each network; never reused.</summary>
    public required ulong Id { get; init; }

    /// <summary>The login, in lower case and unique in the network. Policies name users by it.</summary>
    public required string Name { get; init; }

    /// <summary>Shown to people, "" for none.</summary>
    public string DisplayName { get; init; } = "";

    /// <summary>A policy may mean the user by it, in any case of letters, and no other user by the same; "" for none.</summary>
    public string Email { get; init; } = "";

    public required DateTimeOffset CreatedAt { get; init; }
}
