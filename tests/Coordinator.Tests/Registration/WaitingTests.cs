using System.Net;
using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Registration;
using Mesh.Crypto;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Registration;

public sealed class WaitingTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;

    private NetworkRuntime Network => _coordinator.Network.Runtime;

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Fact]
    public async Task A_machine_without_a_key_waits_under_a_code_and_leaves_nothing_in_the_log()
    {
        using var machine = new TestMachine(_coordinator);
        long before = Network.State.Position;
        var answer = await machine.RegisterAsync(null, "laptop");
        Assert.Equal((RegistrationStatus.Pending, 0UL), (answer.Status, answer.NodeId));
        Assert.Equal(answer.ApprovalCode, ApprovalCode.Parse(answer.ApprovalCode.ToLowerInvariant()));
        Assert.Equal(answer.ApprovalCode, (await machine.RegisterAsync(null, "laptop")).ApprovalCode);
        Assert.Equal(before, Network.State.Position);
        Assert.Equal(ProblemType.NotRegistered, (await Assert.ThrowsAsync<ProblemReceived>(() => machine.PollAsync())).Problem.Type);
    }

    [Fact]
    public async Task A_code_outlives_a_restart_of_the_coordinator()
    {
        using var machine = new TestMachine(_coordinator);
        string code = (await machine.RegisterAsync(null)).ApprovalCode;
        await _coordinator.RestartAsync();
        Assert.Equal(code, (await machine.RegisterAsync(null)).ApprovalCode);
    }

    [Fact]
    public async Task A_held_registration_is_answered_when_the_machine_is_let_in()
    {
        using var machine = new TestMachine(_coordinator);
        string code = (await machine.RegisterAsync(null, "laptop")).ApprovalCode;
        var held = HoldAsync(machine);
        await machine.RegisterAsync(null, "laptop");
        Assert.False(held.IsCompleted);
        var user = await DoAsync(new CreateUser("ann"));
        await ApproveAsync(code, "ann");
        var answer = await held;
        Assert.Equal(RegistrationStatus.Registered, answer.Status);
        var node = Network.State.FindNode(answer.NodeId)!;
        Assert.Equal((user.Id, "laptop", 0UL), (node.OwnerId, node.Name, node.PreAuthKeyId));
        Assert.Equal(_coordinator.Clock.GetUtcNow().AddDays(180), node.ExpiresAt!.Value, TimeSpan.FromSeconds(1));
        using var poll = await machine.PollAsync();
    }

    [Fact]
    public async Task An_expired_machine_is_let_in_again_as_the_same_one_by_a_code()
    {
        using var machine = await _coordinator.JoinAsync("web");
        var before = Network.State.FindNode(machine.NodeId)!;
        await DoAsync(new SetNodeExpiry(before.Id, _coordinator.Clock.GetUtcNow()));
        Assert.Equal(ProblemType.Expired, (await Assert.ThrowsAsync<ProblemReceived>(() => machine.PollAsync())).Problem.Type);
        await ApproveAsync((await machine.RegisterAsync(null)).ApprovalCode);
        var after = Network.State.FindNode(before.Id)!;
        Assert.Equal((before.Name, before.IPv4, before.OwnerId, null), (after.Name, after.IPv4, after.OwnerId, after.ExpiresAt));
        Assert.Single(Network.State.Nodes);
        using var poll = await machine.PollAsync();
    }

    [Fact]
    public async Task Where_approval_is_required_a_key_is_spent_and_the_machine_waits_unless_the_key_is_pre_approved()
    {
        await DoAsync(new ChangeSettings(true, null, null));
        using var machine = new TestMachine(_coordinator);
        var answer = await machine.RegisterAsync(await _coordinator.CreateKeyAsync(), "web");
        Assert.Equal(RegistrationStatus.Pending, answer.Status);
        var node = Assert.Single(Network.State.Nodes.Values);
        Assert.True(node.IsWaiting);
        Assert.Equal(ProblemType.NotRegistered, (await Assert.ThrowsAsync<ProblemReceived>(() => machine.PollAsync())).Problem.Type);
        // It needs no key any more, and gets no second place.
        Assert.Equal(answer.ApprovalCode, (await machine.RegisterAsync(null, "web")).ApprovalCode);
        await ApproveAsync(answer.ApprovalCode);
        Assert.Equal(RegistrationStatus.Registered, (await machine.RegisterAsync(null, "web")).Status);
        Assert.Equal(node.Id, Assert.Single(Network.State.Nodes.Values).Id);

        using var approved = new TestMachine(_coordinator);
        var key = await DoAsync(new CreatePreAuthKey { PreApproved = true });
        Assert.Equal(RegistrationStatus.Registered, (await approved.RegisterAsync(key.Text)).Status);
    }

    [Fact]
    public void A_crowd_is_held_to_its_bounds_and_pushes_nobody_out()
    {
        var (room, network, clock) = (NewRoom(), NetworkId.New(), _coordinator.Clock);
        WaitingRoom.Entry? Come(WaitingRoom into, IPAddress from) => into.Enter(
            network, Mesh.Coordinator.Tests.Network.TestNetwork.NewMachineKey(), Mesh.Coordinator.Tests.Network.TestNetwork.NewNodeKey(), Coordinator.Network.HostFacts.Unknown, from);
        for (int i = 0; i < ControlLimits.WaitingPerAddress; i++) Assert.NotNull(Come(room, IPAddress.Parse($"2001:db8::{i + 1:x}")));
        Assert.Null(Come(room, IPAddress.Parse("2001:db8::ffff")));
        Assert.NotNull(Come(room, IPAddress.Parse("2001:db8:0:1::1")));
        for (int i = ControlLimits.WaitingPerAddress + 1; i < ControlLimits.WaitingPerNetwork; i++)
            Assert.NotNull(Come(room, IPAddress.Parse($"10.0.{i / 256}.{i % 256}")));
        Assert.Null(Come(room, IPAddress.Parse("192.0.2.1")));
        var waiting = room.List(network);
        Assert.Equal(ControlLimits.WaitingPerNetwork, waiting.Count);
        Assert.Equal(waiting.Count, waiting.Select(machine => machine.Code).Distinct().Count());
        // Those that have not asked for a while make room.
        clock.Advance(ControlLimits.WaitingSilence + TimeSpan.FromSeconds(1));
        Assert.Empty(room.List(network));
        Assert.NotNull(Come(room, IPAddress.Parse("192.0.2.1")));
        Assert.Single(room.List(network));
    }

    [Fact]
    public async Task A_request_is_held_for_ten_seconds_and_a_second_of_the_same_machine_not_at_all()
    {
        var room = NewRoom();
        var entry = room.Enter(NetworkId.New(), Mesh.Coordinator.Tests.Network.TestNetwork.NewMachineKey(),
            Mesh.Coordinator.Tests.Network.TestNetwork.NewNodeKey(), Coordinator.Network.HostFacts.Unknown, IPAddress.Loopback)!;
        var held = room.WaitAsync(entry, TestContext.Current.CancellationToken);
        await room.WaitAsync(entry, TestContext.Current.CancellationToken);
        Assert.False(held.IsCompleted);
        _coordinator.Clock.Advance(ControlLimits.ApprovalWait);
        await held;

        // One that broke off does not count.
        using var broken = new CancellationTokenSource();
        var gone = room.WaitAsync(entry, broken.Token);
        await broken.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        held = room.WaitAsync(entry, TestContext.Current.CancellationToken);
        Assert.False(held.IsCompleted);
        _coordinator.Clock.Advance(ControlLimits.ApprovalWait);
        await held;
    }

    [Fact]
    public void A_code_is_good_for_a_day_and_belongs_to_one_pair_of_keys()
    {
        var (room, network, clock) = (NewRoom(), NetworkId.New(), _coordinator.Clock);
        var (machine, key) = (Mesh.Coordinator.Tests.Network.TestNetwork.NewMachineKey(), Mesh.Coordinator.Tests.Network.TestNetwork.NewNodeKey());
        string CodeOf(X25519PublicKey nodeKey) => room.Enter(network, machine, nodeKey, Coordinator.Network.HostFacts.Unknown, IPAddress.Loopback)!.Code;
        string first = CodeOf(key);
        for (int i = 0; i < 24; i++)
        {
            for (int j = 0; j < 30; j++)
            {
                clock.Advance(TimeSpan.FromMinutes(2));
                if (i < 23) Assert.Equal(first, CodeOf(key));
                else CodeOf(key);
            }
        }
        Assert.NotEqual(first, CodeOf(key));
        Assert.False(room.TryFind(network, first, out _));
        Assert.NotEqual(CodeOf(key), CodeOf(Mesh.Coordinator.Tests.Network.TestNetwork.NewNodeKey()));
        Assert.False(room.TryFind(NetworkId.New(), CodeOf(key), out _));
    }

    private WaitingRoom NewRoom() => new(new byte[32], _coordinator.Clock);

    private static async Task<RegisterResponse> HoldAsync(TestMachine machine) => await machine.CallAsync(
        NodeApi.Register,
        new RegisterRequest { Header = TestMachine.Header(), NodeKey = await machine.ProveAsync(machine.NodeKey), Hostname = "laptop", Wait = true }, RegisterResponse.Parser);

    private async Task ApproveAsync(string code, string? user = null)
    {
        var said = user is null
            ? await Cli.Said.ByAsync("nodes", "approve", code, "--state-dir", _coordinator.StateDirectory)
            : await Cli.Said.ByAsync("nodes", "approve", code, "--user", user, "--state-dir", _coordinator.StateDirectory);
        Assert.True(said.ExitCode == 0, said.ToString());
    }

    private async Task<T> DoAsync<T>(ICommand<T> command) => await Network.ExecuteAsync(command, Actor.System, IdempotencyKey.None);
}
