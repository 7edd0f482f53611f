using System.Net.Sockets;
using System.Text;
using Mesh.Node.Cli;
using Mesh.Node.Daemon;
using Mesh.Node.LocalApi;
using Mesh.Node.Ping;
using Mesh.Node.State;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Node.Tests.LocalApi;

public sealed class LocalServerTests : IAsyncDisposable
{
    private const int Seed = 7;
    private readonly TemporaryDirectory _directory = new();
    private readonly StateDirectory _state;
    private readonly NodeRuntime _runtime;
    private readonly LocalServer _server;
    private readonly string _socket;

    public LocalServerTests()
    {
        _state = StateDirectory.Open(_directory.File("state"));
        _socket = _directory.File("mesh.sock");
        _runtime = new NodeRuntime(new RuntimeParts(_state, new FakeTunnel(), () => [], TimeProvider.System, () => 0, NullLoggerFactory.Instance));
        _server = new LocalServer(_runtime, new Pinger(_runtime, TimeProvider.System), _socket, TimeProvider.System, NullLogger.Instance);
        _server.Start();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _runtime.DisposeAsync();
        _state.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void The_socket_belongs_to_its_owner_alone()
    {
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_socket));
        Assert.Equal([_socket], Directory.GetFiles(_directory.Path));
    }

    [Fact]
    public async Task A_question_is_answered_and_a_failure_comes_with_its_exit_code()
    {
        var done = await LocalClient.AskAsync(_socket, new LocalRequest(LocalRequest.StatusVerb), null, default);
        Assert.Equal("none", done.Status!.Self.State);
        var error = await Assert.ThrowsAsync<UserException>(() =>
            LocalClient.AskAsync(_socket, new LocalRequest(LocalRequest.PingVerb, Ping: new PingRequest("x", 1)), null, default));
        Assert.Equal(ExitCode.NotUp, error.Code);
    }

    [Theory]
    [InlineData("{}\n")]
    [InlineData("null\n")]
    [InlineData("[]\n")]
    [InlineData("{\"verb\":\"up\"}\n")]
    [InlineData("{\"verb\":\"dance\"}\n")]
    [InlineData("{\"verb\":7}\n")]
    [InlineData("\n")]
    public async Task A_request_that_makes_no_sense_gets_an_error(string line)
    {
        Assert.Contains("\"error\"", await SendAsync(Encoding.UTF8.GetBytes(line)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_without_an_end_is_cut_off_at_its_bound()
    {
        string answer = await SendAsync(Enumerable.Repeat((byte)'x', LineChannel.MaxRequestBytes + 8192).ToArray());
        Assert.Contains("\"error\"", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Random_requests_never_stop_the_server()
    {
        var random = new Random(Seed);
        for (int i = 0; i < 200; i++)
        {
            byte[] bytes = new byte[random.Next(1, 300)];
            random.NextBytes(bytes);
            bytes[^1] = (byte)'\n';
            await SendAsync(bytes);
        }
        Assert.NotNull((await LocalClient.AskAsync(_socket, new LocalRequest(LocalRequest.StatusVerb), null, default)).Status);
    }

    [Fact]
    public void A_second_daemon_does_not_take_the_socket_of_a_live_one()
    {
        Assert.Equal(ExitCode.InUse, Assert.Throws<UserException>(() => LocalSocket.Listen(_socket)).Code);
    }

    [Fact]
    public async Task The_socket_that_a_killed_daemon_left_is_replaced()
    {
        string path = _directory.File("left.sock");
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(path + ".x"));
            dead.Listen();
            File.Move(path + ".x", path);
        }
        Assert.Equal(ExitCode.NoDaemon, (await Assert.ThrowsAsync<UserException>(() => LocalSocket.ConnectAsync(path, default))).Code);
        LocalSocket.Listen(path).Dispose();
    }

    [Fact]
    public void A_file_that_is_no_socket_is_not_removed()
    {
        string path = _directory.File("precious");
        File.WriteAllText(path, "data");
        Assert.Equal(ExitCode.InUse, Assert.Throws<UserException>(() => LocalSocket.Listen(path)).Code);
        Assert.Equal("data", File.ReadAllText(path));
    }

    private async Task<string> SendAsync(byte[] bytes)
    {
        using var socket = await LocalSocket.ConnectAsync(_socket, default);
        using var stream = new NetworkStream(socket);
        try
        {
            await stream.WriteAsync(bytes);
            using var reader = new StreamReader(stream);
            return await reader.ReadToEndAsync();
        }
        catch (IOException)
        {
            return "";
        }
    }
}
