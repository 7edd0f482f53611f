using System.Net.Sockets;
using System.Text;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Tests.Cli;

/// <summary>Admin verbs against a coordinator that is down, of another version, or whose socket is not ours.</summary>
public sealed class OtherVersionsTests
{
    [Fact]
    public async Task A_coordinator_that_is_down_is_said_to_be()
    {
        using var directory = new TemporaryDirectory();
        var said = await Said.ByAsync("nodes", "list", "--state-dir", directory);
        Assert.Equal(3, said.ExitCode);
        Assert.Contains("no coordinator answers", said.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("9.9", 200, "application/json", """{"items":[{"id":1,"name":"ann","nodes":0,"createdAt":"2026-01-01T00:00:00Z","shoeSize":44}],"mood":"good"}""", 0, "ann")]
    [InlineData("9.9", 200, "application/json", """{"people":[],"items":7}""", 3, "the coordinator is of version 9.9")]
    [InlineData("0.0.1", 404, "application/problem+json", """{"type":"urn:mesh:problem:not-found","title":"x","status":404,"detail":"This coordinator has no such address."}""", 1, "the coordinator is of version 0.0.1")]
    [InlineData("9.9", 500, "text/html", "<html>", 1, "the coordinator is of version 9.9")]
    [InlineData("0.0.1", 200, "application/json", """{"preset":"deny-all"}""", 3, "the coordinator is of version 0.0.1", "policy", "get")]
    [InlineData("0.0.1", 404, "application/problem+json", """{"type":"urn:mesh:problem:not-found","title":"x","status":404,"detail":"This coordinator has no such address."}""", 1, "the coordinator is of version 0.0.1", "policy", "set", "--allow-all", "--yes")]
    public async Task One_of_another_version_is_understood_as_far_as_may_be_or_named(
        string version, int status, string type, string body, int exitCode, string words, params string[] verb)
    {
        using var directory = new TemporaryDirectory();
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(directory, "admin.sock")));
        listener.Listen();
        var serving = Task.Run(async () =>
        {
            using var client = await listener.AcceptAsync(TestContext.Current.CancellationToken);
            byte[] buffer = new byte[4096];
            int read = 0;
            while (!Encoding.ASCII.GetString(buffer, 0, read).Contains("\r\n\r\n", StringComparison.Ordinal))
                read += await client.ReceiveAsync(buffer.AsMemory(read), TestContext.Current.CancellationToken);
            await client.SendAsync(Encoding.UTF8.GetBytes(
                $"HTTP/1.1 {status} X\r\nContent-Type: {type}\r\nMesh-Version: {version}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"));
            client.Shutdown(SocketShutdown.Send);
        }, TestContext.Current.CancellationToken);
        var said = await Said.ByAsync([.. verb.Length == 0 ? ["users", "list"] : verb, "--state-dir", directory]);
        await serving;
        Assert.True(said.ExitCode == exitCode, said.ToString());
        Assert.Contains(words, said.Output + said.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_socket_hears_its_own_user_and_root_whatever_its_rights_became()
    {
        Assert.True(AdminListener.MayUse(Actor.LocalAdmin(0), 1000));
        Assert.True(AdminListener.MayUse(Actor.LocalAdmin(1000), 1000));
        Assert.False(AdminListener.MayUse(Actor.LocalAdmin(1001), 1000));
        Assert.False(AdminListener.MayUse(Actor.LocalAdmin(uint.MaxValue), 1000));
        Assert.False(AdminListener.MayUse(new Actor(ActorKind.AdminToken, 1000), 1000));
    }
}
