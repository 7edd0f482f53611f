using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Network.Events;
using Mesh.Coordinator.Policy;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

public sealed class PolicyTests
{
    private const string WebMayAskDb = """
        {"tagOwners": {"tag:web": ["ann@"], "tag:db": ["ann@"]},
         "acls": [{"action": "accept", "src": ["tag:web"], "dst": ["tag:db:5432"]}]}
        """;

    [Fact]
    public async Task The_policy_in_force_is_the_text_as_it_was_given_and_classes_follow_it()
    {
        await using var network = await CreateAsync();
        var web = await network.JoinAsync("web", new CreatePreAuthKey { Tags = ["tag:web"] });
        var db = await network.JoinAsync("db", new CreatePreAuthKey { Tags = ["tag:db"] });
        Assert.Equal(web.ClassId, db.ClassId);
        await network.DoAsync(new SetPolicy(WebMayAskDb));
        Assert.Equal(WebMayAskDb, network.State.Policy.Text);
        Assert.NotEqual(network.State.FindNode(web.Id)!.ClassId, network.State.FindNode(db.Id)!.ClassId);
        await network.DoAsync(new TagNode(web.Id, ["tag:db"]));
        var moved = network.State.FindNode(web.Id)!;
        Assert.Equal(moved.ClassId, network.State.FindNode(db.Id)!.ClassId);
        Assert.Equal([web.Id, db.Id], network.State.Policy.Fleet.MembersOf(moved.ClassId).Order());
        await network.DoAsync(new DeleteNode(db.Id));
        Assert.Equal([web.Id], network.State.Policy.Fleet.MembersOf(moved.ClassId));
    }

    [Theory]
    [InlineData("""{"acls": [{"action": "accept", "src": ["tag:nix"], "dst": ["*:*"]}]}""", "1:40: src=tag not found")]
    [InlineData("not a policy", "1:")]
    [InlineData("""{"acls": [], "tests": [{"src": "ann@", "accept": ["100.64.0.1:22"]}]}""", "1:51: test(s) failed")]
    public async Task A_policy_that_is_none_or_fails_its_tests_is_refused_with_the_place_and_the_one_before_stands(string text, string said)
    {
        await using var network = await CreateAsync();
        await network.DoAsync(new SetPolicy(WebMayAskDb));
        var position = network.State.Position;
        var refused = await Assert.ThrowsAsync<CommandRefusedException>(async () => await network.DoAsync(new SetPolicy(text)));
        Assert.Equal((RefusalReason.PolicyRefused, "text"), (refused.Reason, refused.Field));
        Assert.StartsWith(said, refused.Message, StringComparison.Ordinal);
        Assert.Equal((position, WebMayAskDb), (network.State.Position, network.State.Policy.Text));
    }

    [Fact]
    public async Task A_stored_policy_that_this_version_refuses_leaves_the_one_before_in_force_also_at_the_next_start()
    {
        await using var network = await CreateAsync();
        await network.DoAsync(new SetPolicy(WebMayAskDb));
        await AppendAsync(network, new PolicySet { Text = """{"acls": [], "fromTheFuture": 1}""" });
        await using var next = await network.OpenAnotherAsync();
        Assert.Equal(WebMayAskDb, next.State.Policy.Text);
        Assert.Contains("fromTheFuture", next.State.Policy.Unread!.Problem.ToString(), StringComparison.Ordinal);
        var snapshot = StateSnapshots.TryDecode(StateSnapshots.Encode(next.State), next.State.Point);
        Assert.Equal(Describe(next.State), Describe(snapshot!));

        await next.ExecuteAsync(new SetPolicy(WebMayAskDb), Root, IdempotencyKey.New(), TestContext.Current.CancellationToken);
        Assert.Null(next.State.Policy.Unread);
    }

    [Fact]
    public async Task A_policy_goes_on_for_the_others_when_a_user_whom_it_names_is_gone()
    {
        const string Both = """{"acls": [{"action": "accept", "src": ["ann@", "bob@"], "dst": ["tag:db:22"]}], "tagOwners": {"tag:db": ["ann@"]}}""";
        await using var network = await CreateAsync();
        var ann = await network.JoinAsync("a", new CreatePreAuthKey { User = "ann" });
        var bob = await network.JoinAsync("b", new CreatePreAuthKey { User = "bob" });
        var db = await network.JoinAsync("db", new CreatePreAuthKey { Tags = ["tag:db"] });
        await network.DoAsync(new SetPolicy(Both));
        await network.DoAsync(new DeleteUser(ann.OwnerId, WithNodes: true));
        await network.DoAsync(new SetPolicy(Both + "\n"));
        var fleet = network.State.Policy.Fleet;
        var (sender, receiver) = (network.State.SubjectOf(network.State.FindNode(bob.Id)!), network.State.SubjectOf(db));
        Assert.True(fleet.Allows(sender, sender.IPv4!.Value, receiver, receiver.IPv4!.Value, 6, 22));
        Assert.Null(network.State.FindNode(ann.Id));
    }

    /// <summary>Writes as another version of the coordinator would.</summary>
    private static async Task AppendAsync(TestNetwork network, IMessage payload)
    {
        await using var log = network.Log();
        var batch = log.Begin(network.State.Point);
        batch.Add(new EventDraft(NetworkEvent.KindOf(payload), payload.ToByteArray(), Root, IdempotencyKey.New(), network.Clock.GetUtcNow()));
        Assert.NotNull(await log.AppendAsync(batch));
    }
}
