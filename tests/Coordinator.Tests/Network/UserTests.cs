using Mesh.Coordinator.Network;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

public sealed class UserTests : IAsyncLifetime
{
    private TestNetwork _network = null!;

    public async ValueTask InitializeAsync() => _network = await CreateAsync();

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    [Fact]
    public async Task Logins_are_one_whatever_their_case_and_never_mere_numbers()
    {
        var ann = await _network.DoAsync(new CreateUser("Ann@Example.com", "Ann", "ann@example.com"));
        Assert.Equal("ann@example.com", ann.Name);
        Assert.Equal(RefusalReason.NameTaken, await _network.RefusalAsync(new CreateUser("ANN@example.com")));
        foreach (var none in new[] { "", "17", "-a", "a b", "ann@", "\u0430nn", "ann\n", new string('a', 255) })
            Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new CreateUser(none)));
        Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new CreateUser("bob", "\u202ebob")));
    }

    [Fact]
    public async Task A_word_of_a_policy_means_one_user_at_most()
    {
        var ann = await _network.DoAsync(new CreateUser("ann", Email: "Ann@Example.com"));
        Assert.Equal(RefusalReason.NameTaken, await _network.RefusalAsync(new CreateUser("ann@example.com")));
        Assert.Equal(RefusalReason.NameTaken, await _network.RefusalAsync(new CreateUser("bob", Email: "ann@EXAMPLE.com")));
        Assert.Equal(RefusalReason.NameTaken, await _network.RefusalAsync(new CreateUser("bob", Email: "ann@")));
        Assert.Equal(RefusalReason.NameTaken, await _network.RefusalAsync(new CreateUser("bob", Email: "ann")));
        var bob = await _network.DoAsync(new CreateUser("bob", Email: "bob@example.com"));
        Assert.Equal(RefusalReason.NameTaken, await _network.RefusalAsync(new RenameUser(bob.Id, "ann@example.com")));
        await _network.DoAsync(new RenameUser(ann.Id, "ann@example.com"));
        await _network.DoAsync(new DeleteUser(ann.Id, WithNodes: false));
        await _network.DoAsync(new RenameUser(bob.Id, "ann@example.com"));
    }

    [Fact]
    public async Task Tags_are_given_by_their_owners_and_by_administrators_as_far_as_the_policy_knows_them()
    {
        var node = await _network.JoinAsync("web", new CreatePreAuthKey { User = "ann", Tags = ["tag:old"] });
        await _network.DoAsync(new CreateUser("bob"));
        await _network.DoAsync(new SetPolicy("""{"tagOwners": {"tag:web": ["ann@"], "tag:db": []}, "acls": []}"""));
        await _network.DoAsync(new CreatePreAuthKey { User = "ann", Tags = ["tag:web"] });
        Assert.Equal(RefusalReason.TagNotOwned, await _network.RefusalAsync(new CreatePreAuthKey { User = "bob", Tags = ["tag:web"] }));
        Assert.Equal(RefusalReason.TagNotOwned, await _network.RefusalAsync(new CreatePreAuthKey { User = "ann", Tags = ["tag:db"] }));
        await _network.DoAsync(new CreatePreAuthKey { Tags = ["tag:db"] });
        Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new CreatePreAuthKey { Tags = ["tag:bd"] }));
        Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new TagNode(node.Id, ["tag:bd"])));
        Assert.Equal(["tag:db", "tag:old"], (await _network.DoAsync(new TagNode(node.Id, ["tag:old", "tag:db"]))).Tags);
    }

    [Fact]
    public async Task A_machine_that_joins_by_a_users_key_belongs_to_him_and_follows_his_new_login()
    {
        var node = await _network.JoinAsync("web", new CreatePreAuthKey { User = "ann" });
        var ann = _network.State.FindUser("ann")!;
        Assert.Equal((ann.Id, "ann"), (node.OwnerId, node.User));
        await _network.DoAsync(new RenameUser(ann.Id, "anna"));
        Assert.Equal((ann.Id, "anna"), (_network.State.FindNode(node.Id)!.OwnerId, _network.State.FindNode(node.Id)!.User));
        Assert.Equal("anna", Assert.Single(_network.State.PreAuthKeys.Values).User);
        Assert.Null(_network.State.FindUser("ann"));
    }

    [Fact]
    public async Task A_machine_with_tags_belongs_to_nobody_however_it_got_them()
    {
        var tagged = await _network.JoinAsync("ci", new CreatePreAuthKey { User = "ann", Tags = ["tag:ci"] });
        Assert.Equal((0UL, ""), (tagged.OwnerId, tagged.User));
        var owned = await _network.JoinAsync("web", new CreatePreAuthKey { User = "ann" });
        await _network.DoAsync(new SetNodeExpiry(owned.Id, _network.Clock.GetUtcNow().AddDays(1)));
        var now = await _network.DoAsync(new TagNode(owned.Id, ["tag:web", "tag:a", "tag:web"]));
        Assert.Equal(["tag:a", "tag:web"], now.Tags);
        Assert.Equal((0UL, "", null), (now.OwnerId, now.User, now.ExpiresAt));
        Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new TagNode(owned.Id, [])));
        Assert.Equal(RefusalReason.Invalid, await _network.RefusalAsync(new TagNode(owned.Id, ["web"])));
    }

    [Fact]
    public async Task A_user_with_machines_is_deleted_only_along_with_them_and_his_keys_end()
    {
        var node = await _network.JoinAsync("web", new CreatePreAuthKey { User = "ann" });
        var tagged = await _network.JoinAsync("ci", new CreatePreAuthKey { User = "ann", Tags = ["tag:ci"] });
        var open = await _network.NewKeyAsync(new CreatePreAuthKey { User = "ann" });
        var ann = _network.State.FindUser("ann")!;
        Assert.Equal(RefusalReason.StillInUse, await _network.RefusalAsync(new DeleteUser(ann.Id, WithNodes: false)));
        await _network.DoAsync(new DeleteUser(ann.Id, WithNodes: true));
        Assert.Null(_network.State.FindNode(node.Id));
        Assert.NotNull(_network.State.FindNode(tagged.Id));
        Assert.Equal(RefusalReason.PreAuthKeyRevoked, await _network.RefusalAsync(Registering("late", open)));
        Assert.Equal(RefusalReason.UserUnknown, await _network.RefusalAsync(new CreatePreAuthKey { User = "ann" }));
        // The login is free, the id is not.
        Assert.NotEqual(ann.Id, (await _network.DoAsync(new CreateUser("ann"))).Id);
    }
}
