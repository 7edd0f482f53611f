using System.Net;
using Mesh.Coordinator.Network;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

public sealed class RegistrationTests : IAsyncLifetime
{
    private TestNetwork _network = null!;

    public async ValueTask InitializeAsync() => _network = await CreateAsync();

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    [Fact]
    public async Task A_machine_with_a_key_gets_an_id_a_name_and_addresses()
    {
        var node = await _network.JoinAsync("Web 1.example.com", new CreatePreAuthKey { Tags = ["tag:b", "tag:a", "tag:b"] });
        Assert.Equal("web-1", node.Name);
        Assert.Equal(IPAddress.Parse("100.64.0.1"), node.IPv4);
        Assert.Equal(["tag:a", "tag:b"], node.Tags);
        Assert.True(node.IsMember(_network.Clock.GetUtcNow()));
        Assert.InRange(node.Id, 1UL << 32, (1UL << 53) - 1);
        Assert.Same(node, _network.State.FindNode(node.Id));
    }

    [Fact]
    public async Task A_second_machine_of_the_same_name_gets_a_suffix()
    {
        await _network.JoinAsync("web");
        Assert.Equal("web-1", (await _network.JoinAsync("WEB")).Name);
    }

    [Fact]
    public async Task Registering_again_with_the_used_key_answers_the_same_and_appends_nothing()
    {
        var registration = Registering("web", await _network.NewKeyAsync());
        var first = await _network.DoAsync(registration);
        var position = _network.State.Position;
        var second = await _network.DoAsync(registration);
        Assert.True(first.IsNew);
        Assert.False(second.IsNew);
        Assert.Equal(first.Node.Id, second.Node.Id);
        Assert.Equal(position, _network.State.Position);
    }

    [Fact]
    public async Task A_single_use_key_lets_in_one_machine_and_a_reusable_one_many()
    {
        var single = await _network.NewKeyAsync();
        await _network.DoAsync(Registering("a", single));
        Assert.Equal(RefusalReason.PreAuthKeyUsed, await _network.RefusalAsync(Registering("b", single)));

        var reusable = await _network.NewKeyAsync(new CreatePreAuthKey { Reusable = true });
        await _network.DoAsync(Registering("c", reusable));
        await _network.DoAsync(Registering("d", reusable));
        Assert.Equal(2, _network.State.PreAuthKeys.Values.Single(key => key.Reusable).Uses);
    }

    [Fact]
    public async Task A_key_that_is_absent_unknown_expired_or_revoked_is_refused_by_its_own_reason()
    {
        Assert.Equal(RefusalReason.PreAuthKeyRequired, await _network.RefusalAsync(Registering("a", null)));
        Assert.Equal(RefusalReason.PreAuthKeyUnknown, await _network.RefusalAsync(Registering("a", PreAuthKeyText.New())));
        Assert.Equal(RefusalReason.PreAuthKeyUnknown, await _network.RefusalAsync(Registering("a", "mkey_\u00e9")));

        var shortLived = await _network.NewKeyAsync(new CreatePreAuthKey { Lifetime = TimeSpan.FromMinutes(1) });
        _network.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(RefusalReason.PreAuthKeyExpired, await _network.RefusalAsync(Registering("a", shortLived)));

        var created = await _network.DoAsync(new CreatePreAuthKey());
        await _network.DoAsync(new RevokePreAuthKey(created.Key.Id));
        Assert.Equal(RefusalReason.PreAuthKeyRevoked, await _network.RefusalAsync(Registering("a", created.Text)));
        Assert.Empty(_network.State.Nodes);
    }

    [Fact]
    public async Task A_node_key_that_another_machine_holds_is_refused_also_as_its_previous_one()
    {
        var node = await _network.JoinAsync("a");
        var key = await _network.NewKeyAsync();
        Assert.Equal(RefusalReason.NodeKeyInUse, await _network.RefusalAsync(Registering("b", key, nodeKey: node.NodeKey)));
        await _network.DoAsync(new RotateNodeKey(node.Id, NewNodeKey()));
        Assert.Equal(RefusalReason.NodeKeyInUse, await _network.RefusalAsync(Registering("b", key, nodeKey: node.NodeKey)));
        Assert.Equal(RefusalReason.NodeKeyInUse, await _network.RefusalAsync(Registering("b", key, nodeKey: default(Crypto.X25519PublicKey))));
    }

    [Fact]
    public async Task A_member_with_a_new_node_key_needs_no_pre_auth_key_and_stays_who_it_is()
    {
        var machine = NewMachineKey();
        var before = await _network.JoinAsync("a", machine: machine);
        var after = (await _network.DoAsync(Registering("renamed", null, machine))).Node;
        Assert.Equal((before.Id, before.Name, before.IPv4), (after.Id, after.Name, after.IPv4));
        Assert.NotEqual(before.NodeKey, after.NodeKey);
        Assert.Null(_network.State.FindByNodeKey(before.NodeKey));
    }

    [Fact]
    public async Task A_node_that_logged_out_needs_a_new_key_and_comes_back_as_itself()
    {
        var machine = NewMachineKey();
        var key = await _network.NewKeyAsync();
        var registration = Registering("a", key, machine);
        var node = (await _network.DoAsync(registration)).Node;
        await _network.DoAsync(new LogoutNode(node.Id));
        Assert.False(_network.State.FindNode(node.Id)!.IsMember(_network.Clock.GetUtcNow()));
        Assert.Equal(RefusalReason.PreAuthKeyUsed, await _network.RefusalAsync(registration));
        var back = (await _network.DoAsync(Registering("a", await _network.NewKeyAsync(), machine))).Node;
        Assert.Equal((node.Id, node.Name, node.IPv4), (back.Id, back.Name, back.IPv4));
        Assert.True(back.IsMember(_network.Clock.GetUtcNow()));
    }

    [Fact]
    public async Task An_ephemeral_node_goes_at_logout_and_its_id_is_never_used_again()
    {
        var node = await _network.JoinAsync("a", new CreatePreAuthKey { Ephemeral = true });
        await _network.DoAsync(new LogoutNode(node.Id));
        Assert.Empty(_network.State.Nodes);
        Assert.Equal(RefusalReason.NodeUnknown, await _network.RefusalAsync(new LogoutNode(node.Id)));
        var next = await _network.JoinAsync("a");
        Assert.Equal(node.Name, next.Name);
        Assert.True(next.Id > node.Id);
        Assert.NotEqual(node.IPv4, next.IPv4);
    }

    [Fact]
    public async Task A_full_pool_refuses_and_a_deleted_nodes_address_serves_again()
    {
        await using var small = await CreateAsync(AddressPlan.New() with { IPv4 = IPNetwork.Parse("10.9.0.0/30") });
        var first = await small.JoinAsync("a");
        await small.JoinAsync("b");
        var waiting = Registering("c", await small.NewKeyAsync());
        Assert.Equal(RefusalReason.AddressPoolExhausted, await small.RefusalAsync(waiting));
        await small.DoAsync(new DeleteNode(first.Id));
        Assert.Equal(first.IPv4, (await small.DoAsync(waiting)).Node.IPv4);
    }

    [Fact]
    public async Task A_rotation_keeps_both_keys_until_the_old_one_is_retired()
    {
        var node = await _network.JoinAsync("a");
        var next = NewNodeKey();
        var rotated = await _network.DoAsync(new RotateNodeKey(node.Id, next));
        Assert.Equal((next, node.NodeKey), (rotated.NodeKey, rotated.PreviousNodeKey!.Value));
        Assert.Equal(node.Id, _network.State.FindByNodeKey(node.NodeKey)!.Id);
        Assert.Equal(RefusalReason.RotationUnderWay, await _network.RefusalAsync(new RotateNodeKey(node.Id, NewNodeKey())));
        await _network.DoAsync(new RotateNodeKey(node.Id, next)); // Repeated: the same answer.
        await _network.DoAsync(new RetirePreviousNodeKey(node.Id, NewNodeKey())); // Another rotation's: without effect.
        Assert.NotNull(_network.State.FindNode(node.Id)!.PreviousNodeKey);
        await _network.DoAsync(new RetirePreviousNodeKey(node.Id, node.NodeKey));
        Assert.Null(_network.State.FindByNodeKey(node.NodeKey));
    }

    [Fact]
    public async Task Only_host_facts_that_changed_are_recorded()
    {
        var node = await _network.JoinAsync("a");
        var position = _network.State.Position;
        await _network.DoAsync(new RecordHostFacts(node.Id, node.Host));
        Assert.Equal(position, _network.State.Position);
        await _network.DoAsync(new RecordHostFacts(node.Id, node.Host with { MeshVersion = "2" }));
        Assert.Equal("2", _network.State.FindNode(node.Id)!.Host.MeshVersion);
        Assert.Equal("a", _network.State.FindNode(node.Id)!.Name);
    }

    [Theory]
    [InlineData("web")]
    [InlineData("tag:")]
    [InlineData("tag:1a")]
    [InlineData("tag:a b")]
    [InlineData("tag:a\n")]
    [InlineData("tag:\u0430")]
    public async Task A_tag_outside_its_alphabet_is_refused(string tag) =>
        Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new CreatePreAuthKey { Tags = [tag] }));

    [Fact]
    public async Task A_keys_text_stands_nowhere_but_in_the_answer()
    {
        var created = await _network.DoAsync(new CreatePreAuthKey());
        Assert.StartsWith("mkey_", created.Text);
        Assert.DoesNotContain(created.Text!, created.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(created.Text!, created.Key.ToString(), StringComparison.Ordinal);
        Assert.True(PreAuthKeyText.TryHash(created.Text!, out var hash));
        Assert.Equal(hash, created.Key.Hash);
        Assert.NotEqual(created.Text, await _network.NewKeyAsync());
    }
}
