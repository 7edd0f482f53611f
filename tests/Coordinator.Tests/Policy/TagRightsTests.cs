using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Policy;

public sealed class TagRightsTests
{
    private static readonly PolicyDocument Policy = PolicyDocument.Parse("""
        {"groups": {"group:ops": ["carol@example.com"]},
         "tagOwners": {"tag:web": ["alice@"], "tag:ops": ["group:ops"], "tag:all": ["autogroup:member"], "tag:none": [], "tag:admin": ["autogroup:admin"],
                       "tag:under-web": ["tag:web"], "tag:ring-a": ["tag:ring-b"], "tag:ring-b": ["tag:ring-a", "bob@"]}}
        """);

    [Theory]
    [InlineData("alice", "", "tag:web", true)]
    [InlineData("alice", "", "tag:ops", false)]
    [InlineData("carol", "Carol@Example.com", "tag:ops", true)]
    [InlineData("carol@example.com", "", "tag:ops", true)]
    [InlineData("bob", "", "tag:web", false)]
    [InlineData("bob", "", "tag:all", true)]
    [InlineData("alice", "", "tag:none", false)]
    [InlineData("alice", "", "tag:admin", false)]
    [InlineData("alice", "", "tag:under-web", true)]
    [InlineData("bob", "", "tag:ring-a", true)]
    [InlineData("alice", "", "tag:ring-a", false)]
    [InlineData("alice", "", "tag:nowhere", false)]
    public void A_user_gives_the_tags_that_he_owns(string name, string email, string tag, bool may) =>
        Assert.Equal(may, Policy.MayGiveTag(name, email, tag));

    [Fact]
    public void A_tag_that_is_not_declared_is_a_slip_of_the_pen_where_any_is()
    {
        Assert.Null(Policy.ProblemOfTag("tag:none"));
        Assert.Equal("The policy's tagOwners do not declare tag:wbe; did you mean tag:web?", Policy.ProblemOfTag("tag:wbe"));
        Assert.Null(PolicyDocument.Parse("""{"acls": []}""").ProblemOfTag("tag:anything"));
    }
}
