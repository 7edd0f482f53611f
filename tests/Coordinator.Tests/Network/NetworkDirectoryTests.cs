using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Tests.Log;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Coordinator.Tests.Network;

public sealed class NetworkDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly TestSigner _signer = new();
    private readonly NetworkDirectory _networks;

    public NetworkDirectoryTests() => _networks = new NetworkDirectory(
        Path.Combine(_directory, "networks"), _signer, new ManualClock(), NullLogger.Instance);

    public void Dispose()
    {
        _signer.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_network_survives_a_restart_with_its_state_and_its_log_verifies()
    {
        Assert.True(await CreateAsync("one"));
        string before;
        await using (var network = await _networks.OpenAsync("one"))
        {
            var created = await network.ExecuteAsync(new CreatePreAuthKey(), TestNetwork.Root, IdempotencyKey.New());
            await network.ExecuteAsync(TestNetwork.Registering("web", created.Text), TestNetwork.Root, IdempotencyKey.New());
            await network.ExecuteAsync(new SetPolicy(NetworkPolicy.AllowAllText), TestNetwork.Root, IdempotencyKey.New());
            before = TestNetwork.Describe(network.State);
        }

        await using var again = await _networks.OpenAsync("one");
        Assert.Equal(before, TestNetwork.Describe(again.State));
        var result = LogVerifier.Verify(_networks.LogPath("one"), _signer.RootSpki);
        Assert.True(result.IsValid);
        Assert.Equal(again.State.Point, result.End);
        Assert.Equal(again.Id, result.Network);
    }

    [Fact]
    public async Task A_name_is_taken_once_and_networks_are_listed_by_name()
    {
        Assert.Empty(_networks.List());
        Assert.True(await CreateAsync("b"));
        Assert.True(await CreateAsync("a"));
        Assert.False(await CreateAsync("a"));
        Assert.Equal(["a", "b"], _networks.List());
    }

    [Fact]
    public async Task What_a_crash_left_of_a_network_in_the_making_is_cleared_away()
    {
        await CreateAsync("a");
        var left = Path.Combine(_directory, "networks", ".new-0123");
        System.IO.Directory.CreateDirectory(left);
        File.WriteAllText(Path.Combine(left, "log.db"), "half");
        Assert.Equal(["a"], _networks.List());
        Assert.False(System.IO.Directory.Exists(left));
    }

    [Fact]
    public async Task Files_and_directories_are_their_owners_alone()
    {
        await CreateAsync("a");
        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(Path.Combine(_directory, "networks", "a")));
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(_networks.DataKeyPath("a")));
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(_networks.LogPath("a")));
    }

    [Fact]
    public async Task A_missing_short_or_foreign_data_key_is_told_as_such()
    {
        await CreateAsync("a");
        await CreateAsync("b");
        File.Copy(_networks.DataKeyPath("b"), _networks.DataKeyPath("a"), overwrite: true);
        Assert.Equal(LogStoreFault.DataKey, await OpenFaultAsync("a"));
        File.WriteAllBytes(_networks.DataKeyPath("a"), new byte[31]);
        Assert.Equal(LogStoreFault.DataKey, await OpenFaultAsync("a"));
        File.Delete(_networks.DataKeyPath("a"));
        Assert.Equal(LogStoreFault.DataKey, await OpenFaultAsync("a"));
    }

    [Fact]
    public async Task A_network_that_is_not_there_is_not_found_and_not_made()
    {
        Assert.Equal(LogStoreFault.NotFound, await OpenFaultAsync("nowhere"));
        Assert.False(_networks.Exists("nowhere"));
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("")]
    [InlineData(".new-x")]
    public async Task A_name_that_could_leave_the_directory_is_refused(string name) =>
        await Assert.ThrowsAsync<ArgumentException>(() => CreateAsync(name));

    [Fact]
    public async Task The_log_tells_in_words_who_did_what()
    {
        await CreateAsync("one");
        await using var network = await _networks.OpenAsync("one");
        await network.ExecuteAsync(new CreateUser("Ann"), TestNetwork.Root, IdempotencyKey.New());
        var created = await network.ExecuteAsync(new CreatePreAuthKey { User = "ann" }, TestNetwork.Root, IdempotencyKey.New());
        var node = (await network.ExecuteAsync(
            TestNetwork.Registering("web", created.Text), new Actor(ActorKind.Machine, 7), IdempotencyKey.New())).Node;
        await network.ExecuteAsync(new LogoutNode(node.Id), Actor.Node(node.Id), IdempotencyKey.New());
        await network.ExecuteAsync(new DeleteNode(node.Id), TestNetwork.Root, IdempotencyKey.New());
        var lines = new List<LogLine>();
        await foreach (var line in LogLine.ReadAsync(network, cancellationToken: TestContext.Current.CancellationToken))
            lines.Add(line);
        Assert.Equal(
            [
                "system: network one created",
                "admin(uid 1000): user ann created",
                "admin(uid 1000): pre-auth key 1 created",
                "machine 0000000000000007: node web registered",
                $"web (node {node.Id}): node web logged out",
                "admin(uid 1000): node web deleted",
            ],
            lines.Select(line => $"{line.Who}: {string.Join(' ', line.Text.Split([' ', ','], StringSplitOptions.None)
                .Take(line.Kind == EventKind.PreAuthKeyCreated ? 4 : 3 + (line.Kind == EventKind.NodeLoggedOut ? 1 : 0)))}"));
        Assert.Equal([0UL, 0UL, 0UL, node.Id, node.Id, node.Id], lines.Select(line => line.NodeId));
        Assert.Contains("for ann", lines[2].Text, StringComparison.Ordinal);
        Assert.DoesNotContain(lines, line => line.Text.Contains("mkey_", StringComparison.Ordinal));
    }

    private Task<bool> CreateAsync(string name) =>
        _networks.CreateAsync(name, AddressPlan.New(), Actor.System, IdempotencyKey.None);

    private async Task<LogStoreFault> OpenFaultAsync(string name) =>
        (await Assert.ThrowsAsync<LogStoreException>(() => _networks.OpenAsync(name))).Fault;
}
