using System.Net;
using Mesh.Coordinator.Map;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Crypto;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Map;

public sealed class PeerEntryTests
{
    private static readonly Node Node = new()
    {
        Id = 7, MachineKey = new MachineKey([1]), NodeKey = Key(1), Name = "one", IPv4 = IPAddress.Parse("100.64.0.1"), IPv6 = IPAddress.Parse("fd00::1"), CreatedAt = At(1),
        Approved = true,
    };

    /// <summary>The node with each of its properties changed, one at a time.</summary>
    private static readonly Dictionary<string, Node> Changed = new()
    {
        ["Id"] = Node with { Id = 8 },
        ["MachineKey"] = Node with { MachineKey = new MachineKey([2]) },
        ["NodeKey"] = Node with { NodeKey = Key(2) },
        ["PreviousNodeKey"] = Node with { PreviousNodeKey = Key(3) },
        ["Name"] = Node with { Name = "two" },
        ["OwnerId"] = Node with { OwnerId = 3 },
        ["User"] = Node with { User = "alice" },
        ["Tags"] = Node with { Tags = ["tag:web"] },
        ["IPv4"] = Node with { IPv4 = IPAddress.Parse("100.64.0.2") },
        ["IPv6"] = Node with { IPv6 = IPAddress.Parse("fd00::2") },
        ["CreatedAt"] = Node with { CreatedAt = At(2) },
        ["ExpiresAt"] = Node with { ExpiresAt = At(3) },
        ["Approved"] = Node with { Approved = false },
        ["KeyChangedAt"] = Node with { KeyChangedAt = At(4) },
        ["Ephemeral"] = Node with { Ephemeral = true },
        ["LoggedOut"] = Node with { LoggedOut = true },
        ["Expired"] = Node with { Expired = true },
        ["SightedAt"] = Node with { SightedAt = 5 },
        ["ClassId"] = Node with { ClassId = new ClassId(6) },
        ["PreAuthKeyId"] = Node with { PreAuthKeyId = 7 },
        ["Host"] = Node with { Host = Node.Host with { Capabilities = 2 } },
    };

    [Fact]
    public void Two_states_of_a_node_are_the_same_when_their_encodings_are()
    {
        Assert.Equal(typeof(Node).GetProperties().Where(property => property.CanWrite).Select(property => property.Name).Order(), Changed.Keys.Order());
        Assert.True(PeerEntry.AreSame(Node, Node with { }));
        foreach (var (name, other) in Changed)
            Assert.True(PeerEntry.AreSame(Node, other) == PeerEntry.Encode(Node, []).AsSpan().SequenceEqual(PeerEntry.Encode(other, [])), name);
    }

    [Fact]
    public void An_entry_carries_the_presence()
    {
        var peer = Peer.Parser.ParseFrom(PeerEntry.Encode(Node, PeerEntry.Encode(7, null)));
        Assert.Equal("one", peer.Name);
        Assert.Equal(new PeerPresence { NodeId = 7 }, peer.Presence);
    }

    private static X25519PublicKey Key(byte first) => new([first, .. new byte[31]]);

    private static DateTimeOffset At(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds);
}
