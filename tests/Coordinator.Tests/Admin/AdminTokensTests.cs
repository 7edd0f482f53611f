using System.Text;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Coordinator.Tests.Admin;

public sealed class AdminTokensTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly ManualClock _clock = new();
    private readonly StateDirectory _state;

    public AdminTokensTests() => _state = StateDirectory.Open(_directory);

    public void Dispose()
    {
        _state.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void A_token_is_found_by_its_text_alone_and_its_text_is_stored_nowhere()
    {
        var tokens = Open();
        var (token, text) = tokens.Create("alice", null, Actor.LocalAdmin(0));
        Assert.Equal(token, tokens.Find(text));
        Assert.Equal(token, Open().Find(text));
        Assert.Null(tokens.Find(text[..^1] + (text[^1] == 'A' ? 'Q' : 'A')));
        Assert.Null(tokens.Find(token.Hash));
        Assert.Null(tokens.Find(""));
        Assert.DoesNotContain(text, Encoding.Latin1.GetString(File.ReadAllBytes(_state.File(AdminTokens.FileName))), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_state.File(AdminTokens.FileName)));
        Assert.DoesNotContain(text, token.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_ends_with_its_time_or_when_it_is_revoked_also_after_a_restart()
    {
        var tokens = Open();
        var (_, expiring) = tokens.Create("short", TimeSpan.FromHours(1), Actor.System);
        var (lasting, text) = tokens.Create("long", null, Actor.System);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.Null(tokens.Find(expiring));
        Assert.NotNull(tokens.Find(text));
        var revoked = tokens.Revoke(lasting.Id, new Actor(ActorKind.AdminToken, lasting.Id));
        Assert.Equal("long (token 2)", revoked.RevokedBy);
        Assert.Null(tokens.Find(text));
        Assert.Null(Open().Find(text));
        Assert.Equal(revoked, tokens.Revoke(lasting.Id, Actor.System));
    }

    [Fact]
    public void Numbers_are_never_used_again_and_names_only_after_their_token_ended()
    {
        var tokens = Open();
        var (first, _) = tokens.Create("alice", null, Actor.System);
        Assert.Equal(ProblemType.Conflict, Assert.Throws<ProblemException>(() => tokens.Create("alice", null, Actor.System)).Problem.Type);
        tokens.Revoke(first.Id, Actor.System);
        Assert.Equal(2ul, Open().Create("alice", null, Actor.System).Token.Id);
        Assert.Equal("alice (token 1)", tokens.NameOf(new Actor(ActorKind.AdminToken, 1)));
        Assert.Null(tokens.NameOf(new Actor(ActorKind.AdminToken, 9)));
        Assert.Null(tokens.NameOf(Actor.LocalAdmin(1)));
    }

    [Fact]
    public void As_many_tokens_as_are_compared_with_each_request_and_no_more()
    {
        var tokens = Open();
        for (int i = 0; i < AdminTokens.MaxUsable; i++) tokens.Create($"t{i}", null, Actor.System);
        Assert.Equal(409, Assert.Throws<ProblemException>(() => tokens.Create("one-more", null, Actor.System)).Problem.Status);
        tokens.Revoke(7, Actor.System);
        tokens.Create("one-more", null, Actor.System);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("\u001b[2J")]
    [InlineData("ä")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void A_name_that_could_do_harm_in_a_log_is_refused(string name) =>
        Assert.Equal("name", Assert.Throws<ProblemException>(() => Open().Create(name, null, Actor.System)).Problem.Field);

    [Fact]
    public void Any_changed_byte_of_the_file_keeps_the_coordinator_from_starting()
    {
        Open().Create("alice", TimeSpan.FromDays(1), Actor.System);
        string file = _state.File(AdminTokens.FileName);
        byte[] good = File.ReadAllBytes(file);
        for (int i = 0; i < good.Length; i++)
        {
            byte[] bad = [.. good];
            bad[i] ^= 1;
            File.WriteAllBytes(file, bad);
            Assert.Equal(ExitCode.StateDamaged, Assert.Throws<StartFailure>(Open).ExitCode);
        }
        File.WriteAllBytes(file, good[..^1]);
        Assert.Throws<StartFailure>(Open);
        File.WriteAllBytes(file, good);
        Assert.Single(Open().All);
    }

    [Fact]
    public void A_change_that_cannot_be_stored_is_refused_and_changes_nothing()
    {
        var tokens = Open();
        var (token, text) = tokens.Create("alice", null, Actor.System);
        // Stands in for a disk that takes nothing: the file can't be made where a directory is.
        Directory.CreateDirectory(_state.File(AdminTokens.FileName + ".new"));
        Assert.Equal(503, Assert.Throws<ProblemException>(() => tokens.Revoke(token.Id, Actor.System)).Problem.Status);
        Assert.Equal(503, Assert.Throws<ProblemException>(() => tokens.Create("bob", null, Actor.System)).Problem.Status);
        Assert.NotNull(tokens.Find(text));
        Assert.Single(Open().All);
    }

    private AdminTokens Open() => AdminTokens.Open(_state, _clock, NullLogger.Instance);
}
