using System.Net;
using System.Security.Cryptography.X509Certificates;
using Mesh.EndToEnd.Lab;
using Mesh.EndToEnd.Products;

namespace Mesh.EndToEnd.Faults;

/// <summary>Joining with a link that is no good, or at a server that is not the one: said plainly, and nothing is lost by it.</summary>
public sealed class JoiningTests : IAsyncLifetime
{
    private const int NodeHost = 0;
    private const int CoordinatorHost = 1;
    private const int ImpostorHost = 2;

    private readonly NetworkLab _lab = new();
    private RoutedSubnets _net = null!;
    private CoordinatorProcess _coordinator = null!;
    private NodeProcess _node = null!;

    public async ValueTask InitializeAsync()
    {
        _net = await RoutedSubnets.BuildAsync(_lab, "node", "coordinator", "impostor");
        _coordinator = new CoordinatorProcess(_lab, _net.Hosts[CoordinatorHost], RoutedSubnets.Address4(CoordinatorHost));
        _node = new NodeProcess(_lab, _net.Hosts[NodeHost], "node");
        await _coordinator.StartAsync();
        await _node.StartAsync();
    }

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_impostor_at_the_coordinators_address_is_shown_no_certificate(bool withTheTrueChain)
    {
        var link = await _coordinator.CreateLinkAsync();
        var there = new IPEndPoint(IPAddress.Parse(RoutedSubnets.Address4(ImpostorHost)), CoordinatorProcess.Port);
        IReadOnlyList<X509Extension> extensions = [];
        if (withTheTrueChain)
        {
            var address = new IPEndPoint(IPAddress.Parse(RoutedSubnets.Address4(CoordinatorHost)), CoordinatorProcess.Port);
            using var truth = await Impostor.ObserveAsync(_net.Hosts[ImpostorHost], address);
            extensions = [.. truth.Extensions];
            Assert.NotEmpty(extensions);
        }

        await using var impostor = new Impostor(_net.Hosts[ImpostorHost], there, extensions);
        var result = await _node.TryJoinAsync(link.Replace(RoutedSubnets.Address4(CoordinatorHost), RoutedSubnets.Address4(ImpostorHost)));

        result.AssertError(ExitCodes.NodeCoordinatorNotTrusted, RoutedSubnets.Address4(ImpostorHost));
        Assert.True(impostor.Connections > 0, "nobody came");
        Assert.Equal(0, impostor.CertificatesSeen);
        Assert.Equal(0, impostor.BytesSeen);
        await JoinsAsync(link);
    }

    [Fact]
    public async Task Another_coordinator_is_told_from_the_one_that_the_link_pins()
    {
        var link = await _coordinator.CreateLinkAsync();
        var other = new CoordinatorProcess(_lab, _net.Hosts[ImpostorHost], RoutedSubnets.Address4(ImpostorHost), "other");
        await other.StartAsync();

        var result = await _node.TryJoinAsync(link.Replace(RoutedSubnets.Address4(CoordinatorHost), RoutedSubnets.Address4(ImpostorHost)));

        result.AssertError(ExitCodes.NodeCoordinatorNotTrusted, "pin", RoutedSubnets.Address4(ImpostorHost));
        await JoinsAsync(link);
    }

    [Fact]
    public async Task A_used_key_is_refused()
    {
        var link = await _coordinator.CreateLinkAsync();
        var other = new NodeProcess(_lab, _net.Hosts[ImpostorHost], "other");
        await other.StartAsync();
        await other.JoinAsync(link);

        (await _node.TryJoinAsync(link)).AssertError(ExitCodes.NodeRefused, "used");
        await JoinsAsync(await _coordinator.CreateLinkAsync());
    }

    [Fact]
    public async Task A_key_is_refused_after_its_time()
    {
        var expiry = DateTimeOffset.UtcNow.AddSeconds(1);
        var link = await _coordinator.CreateLinkAsync("--expires", "1s");
        await Wait.UntilAsync("the key's time is over", TimeSpan.FromSeconds(10), () => DateTimeOffset.UtcNow > expiry.AddSeconds(1));

        (await _node.TryJoinAsync(link)).AssertError(ExitCodes.NodeRefused, "expired");
        await JoinsAsync(await _coordinator.CreateLinkAsync());
    }

    [Fact]
    public async Task A_revoked_key_is_refused()
    {
        var link = await _coordinator.CreateLinkAsync();
        await _coordinator.RunAsync("keys", "revoke", Assert.Single(await _coordinator.KeyIdsAsync()));

        (await _node.TryJoinAsync(link)).AssertError(ExitCodes.NodeRefused, "revoked");
        await JoinsAsync(await _coordinator.CreateLinkAsync());
    }

    [Theory]
    [InlineData("/default#", "/elsewhere#", ExitCodes.NodeRefused, "no network")]
    [InlineData("#mkey_", "#mkey_A", ExitCodes.NodeRefused, "key")]
    [InlineData("#mkey_", "#", ExitCodes.Usage, "link")]
    [InlineData("mesh://", "https://", ExitCodes.Usage, "link")]
    [InlineData(":8443", ":8444", ExitCodes.NodeCoordinatorUnreachable, ":8444")]
    public async Task A_link_that_is_wrong_is_named(string part, string changed, int exitCode, string word)
    {
        var link = await _coordinator.CreateLinkAsync();
        var wrong = link.Replace(part, changed);
        Assert.NotEqual(link, wrong);

        (await _node.TryJoinAsync(wrong)).AssertError(exitCode, word);
        await JoinsAsync(link);
    }

    private async Task JoinsAsync(string link)
    {
        await _node.JoinAsync(link);
        await Wait.UntilAsync(
            "the node is connected", TimeSpan.FromSeconds(30), async () => (await _node.StatusAsync()).Coordinator.Connected);
    }
}
