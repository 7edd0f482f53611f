using System.Net.Sockets;
using Mesh.Node.Control;
using Mesh.Node.State;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Node.Tests.Control;

public sealed class PinTests
{
    [Fact]
    public async Task The_pinned_coordinator_is_shown_the_machine_certificate()
    {
        await using var server = new TestCoordinator();
        await server.StartAsync();
        server.Handler = (context, _) => TestCoordinator.AnswerAsync(context, new ChallengeResponse { ServerTimeMs = 7 });
        using var machine = MachineIdentity.CreateUnsaved();
        using var client = new ControlClient(server.Link(), machine, TimeProvider.System);
        Assert.Equal(7, (await client.ChallengeAsync(default)).ServerTimeMs);
        Assert.Equal(machine.Certificate.RawData, Assert.Single(server.Shown));
        Assert.False(client.CertificateFromTheFuture);
    }

    [Fact]
    public async Task An_impostor_is_shown_no_client_certificate_and_no_request_and_the_error_says_so()
    {
        await using var impostor = new TestCoordinator();
        await using var real = new TestCoordinator();
        await impostor.StartAsync();
        using var machine = MachineIdentity.CreateUnsaved();
        var link = impostor.Link() with { Pin = real.Pin };
        using var client = new ControlClient(link, machine, TimeProvider.System);
        var error = await Assert.ThrowsAsync<ControlException>(() => client.ChallengeAsync(default));
        Assert.Equal((ControlFailure.NotTrusted, TrustVerdict.WrongPin), (error.Failure, error.Verdict));
        Assert.Contains("not the coordinator of this join link", error.Message, StringComparison.Ordinal);
        Assert.All(impostor.Shown, Assert.Null);
        Assert.Empty(impostor.Requests);
    }

    [Fact]
    public async Task A_leaf_from_the_future_is_accepted_with_a_warning()
    {
        await using var server = new TestCoordinator(leafStarts: TimeSpan.FromHours(5));
        await server.StartAsync();
        server.Handler = (context, _) => TestCoordinator.AnswerAsync(context, new ChallengeResponse());
        using var machine = MachineIdentity.CreateUnsaved();
        using var client = new ControlClient(server.Link(), machine, TimeProvider.System);
        await client.ChallengeAsync(default);
        Assert.True(client.CertificateFromTheFuture);
    }

    [Fact]
    public async Task An_expired_leaf_is_refused_and_shown_nothing()
    {
        await using var server = new TestCoordinator(leafStarts: TimeSpan.FromDays(-3));
        await server.StartAsync();
        using var machine = MachineIdentity.CreateUnsaved();
        using var client = new ControlClient(server.Link(), machine, TimeProvider.System);
        var error = await Assert.ThrowsAsync<ControlException>(() => client.ChallengeAsync(default));
        Assert.Equal(TrustVerdict.Expired, error.Verdict);
        Assert.All(server.Shown, Assert.Null);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_port_that_nobody_listens_on_is_unreachable_in_plain_words()
    {
        await using var server = new TestCoordinator();
        await server.StartAsync();
        var link = server.Link();
        await server.StopAsync();
        using var machine = MachineIdentity.CreateUnsaved();
        using var client = new ControlClient(link, machine, TimeProvider.System);
        var error = await Assert.ThrowsAsync<ControlException>(() => client.ChallengeAsync(default));
        Assert.Equal(ControlFailure.Unreachable, error.Failure);
        Assert.Contains("Connection refused", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_connection_that_is_reset_as_soon_as_it_stands_is_unreachable()
    {
        using var machine = MachineIdentity.CreateUnsaved();
        var link = new JoinLink("coordinator.example", 443, new byte[32], null, null);
        using var client = new ControlClient(link, machine, TimeProvider.System);
        var error = client.Translate(new SocketException((int)SocketError.NotConnected), default, default);
        Assert.Equal(ControlFailure.Unreachable, error?.Failure);
    }

    [Fact]
    public async Task A_problem_is_told_by_its_type()
    {
        await using var server = new TestCoordinator();
        await server.StartAsync();
        server.Handler = (context, _) => TestCoordinator.RefuseAsync(context, 403, ProblemType.KeyExpired);
        using var machine = MachineIdentity.CreateUnsaved();
        using var client = new ControlClient(server.Link(), machine, TimeProvider.System);
        var error = await Assert.ThrowsAsync<ControlException>(() => client.ChallengeAsync(default));
        Assert.Equal((ControlFailure.Refused, ProblemType.KeyExpired, 403), (error.Failure, error.ProblemType, error.Status));
    }

    [Fact]
    public async Task An_answer_that_is_no_message_or_too_long_is_a_bad_answer()
    {
        await using var server = new TestCoordinator();
        await server.StartAsync();
        using var machine = MachineIdentity.CreateUnsaved();
        using var client = new ControlClient(server.Link(), machine, TimeProvider.System);
        server.Handler = async (context, _) => await context.Response.Body.WriteAsync(new byte[] { 0xff, 0xff, 0xff });
        Assert.Equal(ControlFailure.BadAnswer, (await Assert.ThrowsAsync<ControlException>(() => client.ChallengeAsync(default))).Failure);
        server.Handler = async (context, _) => await context.Response.Body.WriteAsync(new byte[ControlLimits.RequestBodyBytes + 1]);
        Assert.Equal(ControlFailure.BadAnswer, (await Assert.ThrowsAsync<ControlException>(() => client.ChallengeAsync(default))).Failure);
    }
}
