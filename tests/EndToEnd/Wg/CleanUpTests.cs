using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Wg;

/// <summary>Nothing is left of an interface when it ends, however it ends.</summary>
public class CleanUpTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("terminated")]
    [InlineData("deleted")]
    public async Task An_interface_that_ends_leaves_nothing_and_its_process_ends_well(string how)
    {
        await using var lab = new NetworkLab();
        var (client, server) = await InteropTests.PairAsync(lab, Implementation.Mesh, Implementation.Mesh);
        await server.UpAsync(client);
        await client.UpAsync(server, InteropTests.Endpoint(1));
        await Wait.UntilAsync("a ping", Deadline, () => client.Host.PingsAsync(server.Address4));
        if (how == "deleted") await client.Host.IpAsync($"link del {client.Interface}");
        else _ = Native.Kill(client.Process!.Id, Native.SigTerm);
        var ended = await client.Process!.WaitForExitAsync(Deadline);
        Assert.Equal((0, "", ""), (ended.ExitCode, ended.Output, ended.Error));
        Assert.False(File.Exists(client.SocketPath));
        Assert.DoesNotContain(client.Interface, await client.Host.RunAsync("ip", "link"), StringComparison.Ordinal);
        Assert.Empty(await client.Host.RunAsync("ss", "-ulnH"));
    }

    [Fact]
    public async Task After_a_kill_the_next_start_takes_over()
    {
        await using var lab = new NetworkLab();
        var device = await WgDevice.CreateAsync(await lab.AddHostAsync("a"), Implementation.Mesh);
        await device.Process!.KillAsync();
        Assert.True(File.Exists(device.SocketPath));
        await device.LaunchAsync();
        Assert.Equal("(none)", await device.ShowAsync("private-key"));
    }

    [Fact]
    public async Task In_the_background_it_returns_when_the_socket_answers_and_lives_on()
    {
        await using var lab = new NetworkLab();
        var host = await lab.AddHostAsync("a");
        string name = $"wgb{Environment.ProcessId % 10000}";
        var started = (await host.TryAsync([Repository.Program("mesh-wg"), name])).Checked();
        Assert.Equal(("", ""), (started.Output, started.Error));
        Assert.Contains(name, await host.RunAsync("wg", "show", name), StringComparison.Ordinal);
        await host.IpAsync($"link del {name}");
        // The name is free at once, for whoever comes next.
        (await host.TryAsync([Repository.Program("mesh-wg"), name])).Checked();
        await host.IpAsync($"link del {name}");
        await Wait.UntilAsync("the socket is gone", Deadline, () => !File.Exists($"/var/run/wireguard/{name}.sock"));
    }

    [Theory]
    [InlineData("a/b", 2)]
    [InlineData("a-name-that-is-too-long", 2)]
    [InlineData("lo", 10)]
    public async Task A_name_that_cannot_be_is_refused_with_a_reason(string name, int exitCode)
    {
        await using var lab = new NetworkLab();
        var host = await lab.AddHostAsync("a");
        foreach (string[] foreground in new string[][] { [], ["--foreground"] })
        {
            var result = await host.TryAsync([Repository.Program("mesh"), "wg", .. foreground, name]);
            Assert.Equal(exitCode, result.ExitCode);
            Assert.StartsWith("mesh: ", result.Error, StringComparison.Ordinal);
            Assert.Contains(name, result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_second_device_of_the_same_name_is_refused()
    {
        await using var lab = new NetworkLab();
        var device = await WgDevice.CreateAsync(await lab.AddHostAsync("a"), Implementation.Mesh);
        var result = await device.Host.TryAsync(WgDevice.Command(Implementation.Mesh, device.Interface));
        Assert.Equal(10, result.ExitCode);
        Assert.Contains(device.Interface, result.Error, StringComparison.Ordinal);
    }
}
