using Google.Protobuf;
using Mesh.Coordinator.Registration;
using Mesh.Crypto;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Registration;

public sealed class RegistrationTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Fact]
    public async Task A_machine_with_a_key_is_in_and_has_a_name_and_two_addresses()
    {
        using var machine = new TestMachine(_coordinator);
        var response = await machine.RegisterAsync(await _coordinator.CreateKeyAsync(), "Build Host.example.com");
        Assert.Equal(RegistrationStatus.Registered, response.Status);
        Assert.Equal("build-host", response.Name);
        Assert.Equal([4, 16], response.Addresses.Select(a => a.Address.Length));
        Assert.Equal([32u, 128u], response.Addresses.Select(a => a.Length));
    }

    [Fact]
    public async Task A_registration_whose_answer_was_lost_can_be_repeated_with_its_single_use_key()
    {
        string key = await _coordinator.CreateKeyAsync();
        using var machine = new TestMachine(_coordinator);
        var first = await machine.RegisterAsync(key);
        var again = await machine.RegisterAsync(key);
        Assert.Equal(first.NodeId, again.NodeId);

        using var other = new TestMachine(_coordinator);
        var refused = await Assert.ThrowsAsync<ProblemReceived>(() => other.RegisterAsync(key));
        Assert.Equal(ProblemType.KeyUsed, refused.Problem.Type);
    }

    [Fact]
    public async Task Unknown_expired_and_revoked_keys_and_no_key_are_each_told_apart()
    {
        using var machine = new TestMachine(_coordinator);
        Assert.Equal(ProblemType.KeyUnknown, await RefusalOf(machine, "mkey_" + new string('A', 43)));
        string shortLived = await _coordinator.CreateKeyAsync(lifetime: TimeSpan.FromHours(1));
        _coordinator.Clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(ProblemType.KeyExpired, await RefusalOf(machine, shortLived));
        string revoked = await _coordinator.CreateKeyAsync();
        await _coordinator.Network.Runtime.ExecuteAsync(
            new Mesh.Coordinator.Network.RevokePreAuthKey(_coordinator.Network.Runtime.State.NextPreAuthKeyId - 1), Coordinator.Log.Actor.System, Coordinator.Log.IdempotencyKey.None);
        Assert.Equal(ProblemType.KeyRevoked, await RefusalOf(machine, revoked));
    }

    [Fact]
    public async Task A_node_key_that_another_machine_holds_is_refused()
    {
        using var first = await _coordinator.JoinAsync();
        using var second = new TestMachine(_coordinator) { NodeKey = first.NodeKey };
        Assert.Equal(ProblemType.NodeKeyTaken, await RefusalOf(second, await _coordinator.CreateKeyAsync()));
    }

    [Fact]
    public async Task A_challenge_is_good_once()
    {
        using var machine = new TestMachine(_coordinator);
        var proof = machine.Prove(machine.NodeKey, await machine.ChallengeAsync());
        var request = new RegisterRequest { Header = TestMachine.Header(), NodeKey = proof, PreAuthKey = await _coordinator.CreateKeyAsync() };
        await machine.CallAsync(NodeApi.Register, request, RegisterResponse.Parser);
        Assert.Equal(ProblemType.Challenge, (await machine.RefusedAsync(NodeApi.Register, request)).Type);
    }

    [Fact]
    public async Task A_challenge_is_good_for_a_minute()
    {
        using var machine = new TestMachine(_coordinator);
        var proof = machine.Prove(machine.NodeKey, await machine.ChallengeAsync());
        _coordinator.Clock.Advance(ControlLimits.ChallengeLifetime + TimeSpan.FromSeconds(1));
        var request = new RegisterRequest { Header = TestMachine.Header(), NodeKey = proof, PreAuthKey = await _coordinator.CreateKeyAsync() };
        Assert.Equal(ProblemType.Challenge, (await machine.RefusedAsync(NodeApi.Register, request)).Type);
    }

    [Fact]
    public async Task Another_machine_can_neither_use_nor_use_up_a_challenge()
    {
        using var machine = new TestMachine(_coordinator);
        using var thief = new TestMachine(_coordinator) { NodeKey = machine.NodeKey };
        var challenge = await machine.ChallengeAsync();
        var stolen = new RegisterRequest
        {
            Header = TestMachine.Header(), NodeKey = thief.Prove(thief.NodeKey, challenge), PreAuthKey = await _coordinator.CreateKeyAsync(),
        };
        Assert.Equal(ProblemType.Challenge, (await thief.RefusedAsync(NodeApi.Register, stolen)).Type);
        stolen.NodeKey = machine.Prove(machine.NodeKey, challenge);
        await machine.CallAsync(NodeApi.Register, stolen, RegisterResponse.Parser);
    }

    [Fact]
    public async Task Without_the_node_keys_private_half_there_is_no_proof()
    {
        using var machine = new TestMachine(_coordinator);
        using var held = X25519PrivateKey.Generate();
        using var claimed = X25519PrivateKey.Generate();
        var proof = machine.Prove(held, await machine.ChallengeAsync());
        proof.NodeKey = ByteString.CopyFrom(claimed.PublicKey.AsSpan());
        var request = new RegisterRequest { Header = TestMachine.Header(), NodeKey = proof, PreAuthKey = await _coordinator.CreateKeyAsync() };
        Assert.Equal(ProblemType.Proof, (await machine.RefusedAsync(NodeApi.Register, request)).Type);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_node_key_of_low_order_is_refused(byte first)
    {
        using var machine = new TestMachine(_coordinator);
        var proof = machine.Prove(machine.NodeKey, await machine.ChallengeAsync());
        byte[] lowOrder = new byte[32];
        lowOrder[0] = first;
        proof.NodeKey = ByteString.CopyFrom(lowOrder);
        var request = new RegisterRequest { Header = TestMachine.Header(), NodeKey = proof, PreAuthKey = await _coordinator.CreateKeyAsync() };
        Assert.Equal(ProblemType.Proof, (await machine.RefusedAsync(NodeApi.Register, request)).Type);
    }

    [Fact]
    public async Task A_rotated_key_stands_beside_the_old_one_for_five_minutes()
    {
        using var machine = await _coordinator.JoinAsync();
        var old = machine.NodeKey.PublicKey;
        using var next = X25519PrivateKey.Generate();
        var response = await machine.CallAsync(NodeApi.Rotate,
            new RotateRequest { Header = TestMachine.Header(), NodeKey = await machine.ProveAsync(next) }, RotateResponse.Parser);
        var node = _coordinator.Network.Runtime.State.FindNode(machine.NodeId)!;
        Assert.Equal(next.PublicKey, node.NodeKey);
        Assert.Equal(old, node.PreviousNodeKey);
        var due = _coordinator.Clock.GetUtcNow() + PreviousKeyRetirement.Overlap;
        Assert.Equal(due.ToUnixTimeMilliseconds(), response.PreviousUntilMs);

        var retired = new TaskCompletionSource();
        _coordinator.Network.Runtime.StateChanged += change =>
        {
            if (change.After.FindNode(machine.NodeId)!.PreviousNodeKey is null) retired.TrySetResult();
        };
        _coordinator.Clock.Advance(PreviousKeyRetirement.Overlap + TimeSpan.FromSeconds(10));
        await retired.Task;
    }

    [Fact]
    public async Task A_rotation_is_acknowledged_once_every_peer_that_is_online_has_the_new_key_and_ends_when_the_node_says_so()
    {
        await _coordinator.AllowAllAsync();
        using var machine = await _coordinator.JoinAsync("web");
        using var online = await _coordinator.JoinAsync("db");
        using var offline = await _coordinator.JoinAsync("laptop");
        using var poll = await online.PollAsync();
        await poll.UntilAsync(map => map.Peers.Count == 2);
        using var next = X25519PrivateKey.Generate();
        var begun = await RotateAsync(machine, new RotateRequest { NodeKey = await machine.ProveAsync(next) });
        Assert.False(begun.Acknowledged);
        await poll.UntilAsync(map => !map.Peers[machine.NodeId].PreviousNodeKey.IsEmpty);
        Assert.False((await RotateAsync(machine, new RotateRequest())).Acknowledged);
        await ReportAsync(online, poll.Map.Position - 1);
        await ReportAsync(online, ulong.MaxValue);
        Assert.False((await RotateAsync(machine, new RotateRequest())).Acknowledged);
        await ReportAsync(online, poll.Map.Position);
        var standing = await RotateAsync(machine, new RotateRequest());
        Assert.True(standing.Acknowledged);
        Assert.Equal(begun.PreviousUntilMs, standing.PreviousUntilMs);
        var ended = await RotateAsync(machine, new RotateRequest { RetirePrevious = true });
        Assert.Equal((0L, true), (ended.PreviousUntilMs, ended.Acknowledged));
        await poll.UntilAsync(map => map.Peers[machine.NodeId].PreviousNodeKey.IsEmpty);
        Assert.Equal(next.PublicKey, _coordinator.Network.Runtime.State.FindNode(machine.NodeId)!.NodeKey);
    }

    [Fact]
    public async Task A_coordinator_that_restarts_amid_a_rotation_gives_it_five_minutes_anew_and_asks_every_peer_again()
    {
        await _coordinator.AllowAllAsync();
        using var machine = await _coordinator.JoinAsync("web");
        using var peer = await _coordinator.JoinAsync("db");
        using (var poll = await peer.PollAsync())
        {
            using var next = X25519PrivateKey.Generate();
            await RotateAsync(machine, new RotateRequest { NodeKey = await machine.ProveAsync(next) });
            await poll.UntilAsync(map => map.Peers.Count == 1 && !map.Peers[machine.NodeId].PreviousNodeKey.IsEmpty);
            await ReportAsync(peer, poll.Map.Position);
        }
        _coordinator.Clock.Advance(PreviousKeyRetirement.Overlap / 2);
        await _coordinator.RestartAsync();
        using var again = await peer.PollAsync();
        await again.UntilAsync(map => map.Peers.Count == 1);
        var standing = await RotateAsync(machine, new RotateRequest());
        Assert.False(standing.Acknowledged);
        Assert.Equal((_coordinator.Clock.GetUtcNow() + PreviousKeyRetirement.Overlap).ToUnixTimeMilliseconds(), standing.PreviousUntilMs);
        await ReportAsync(peer, again.Map.Position);
        Assert.True((await RotateAsync(machine, new RotateRequest())).Acknowledged);
    }

    private static Task<RotateResponse> RotateAsync(TestMachine machine, RotateRequest request)
    {
        request.Header = TestMachine.Header();
        return machine.CallAsync(NodeApi.Rotate, request, RotateResponse.Parser);
    }

    private static Task<ReportResponse> ReportAsync(TestMachine machine, ulong position) => machine.CallAsync(
        NodeApi.Report, new ReportRequest { Header = TestMachine.Header(), BootId = ByteString.CopyFrom(machine.BootId), AppliedPosition = position }, ReportResponse.Parser);

    [Fact]
    public async Task A_node_that_logged_out_is_a_stranger_until_it_has_a_new_key()
    {
        using var machine = await _coordinator.JoinAsync("leaver");
        var request = new LogoutRequest { Header = TestMachine.Header() };
        await machine.CallAsync(NodeApi.Logout, request, LogoutResponse.Parser);
        await machine.CallAsync(NodeApi.Logout, request, LogoutResponse.Parser);
        var refused = await Assert.ThrowsAsync<ProblemReceived>(() => machine.PollAsync());
        Assert.Equal(ProblemType.NotRegistered, refused.Problem.Type);
        ulong before = machine.NodeId;
        await machine.RegisterAsync(await _coordinator.CreateKeyAsync(), "leaver");
        Assert.Equal(before, machine.NodeId);
    }

    private static async Task<string> RefusalOf(TestMachine machine, string? key) =>
        (await Assert.ThrowsAsync<ProblemReceived>(() => machine.RegisterAsync(key))).Problem.Type;
}
