using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Hosting;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Admin;

public sealed class AdminApiTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _coordinator = await ServedCoordinator.StartAsync();
        _http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(_coordinator.Server.AdminSocket), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        { BaseAddress = new Uri("http://coordinator/v1/networks/default/") };
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return _coordinator.DisposeAsync();
    }

    [Fact]
    public void The_socket_is_for_its_owner_alone() =>
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_coordinator.Server.AdminSocket));

    [Fact]
    public async Task A_key_is_shown_once_leads_back_here_and_lets_a_machine_in()
    {
        var created = await PostAsync("keys", """{"reusable": false, "tags": ["tag:ci"]}""");
        var model = JsonSerializer.Deserialize(created, AdminJson.Default.CreatedKeyModel)!;
        Assert.True(JoinLink.TryParse(model.Link, out var link, out _));
        Assert.Equal(("127.0.0.1", _coordinator.EndPoint.Port, "default"), (link.Host, link.Port, link.Network!));
        Assert.Equal(_coordinator.Server.Keys.Pin.ToArray(), link.Pin.ToArray());
        using var machine = new TestMachine(_coordinator);
        await machine.RegisterAsync(link.PreAuthKey);

        string listed = await _http.GetStringAsync(new Uri("keys", UriKind.Relative));
        Assert.DoesNotContain(link.PreAuthKey!, listed, StringComparison.Ordinal);
        var key = Assert.Single(JsonSerializer.Deserialize(listed, AdminJson.Default.ListModelKeyModel)!.Items);
        Assert.Equal(("used", 1), (key.Status, key.Uses));
        foreach (string file in Directory.EnumerateFiles(_coordinator.StateDirectory, "*", SearchOption.AllDirectories))
            if (file.EndsWith("log.db", StringComparison.Ordinal) || file.EndsWith("-wal", StringComparison.Ordinal))
                Assert.DoesNotContain(link.PreAuthKey!, Encoding.Latin1.GetString(ReadShared(file)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_repeated_creation_makes_no_second_key()
    {
        for (int i = 0; i < 2; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "keys") { Content = Json("{}") };
            request.Headers.Add("Idempotency-Key", "the same");
            using var response = await _http.SendAsync(request);
            Assert.Equal(i == 0 ? 201 : 409, (int)response.StatusCode);
        }
        Assert.Single(_coordinator.Network.Runtime.State.PreAuthKeys);
    }

    [Fact]
    public async Task The_log_names_the_user_who_asked()
    {
        await PostAsync("keys", "{}");
        var events = JsonSerializer.Deserialize(await _http.GetStringAsync(new Uri("log?after=1", UriKind.Relative)), AdminJson.Default.ListModelEventModel)!;
        var created = Assert.Single(events.Items);
        Assert.Equal($"admin(uid {Uid()})", created.Actor);
        Assert.Contains("pre-auth key 1 created", created.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verification_reads_the_file_that_is_there()
    {
        await PostAsync("keys", "{}");
        var found = JsonSerializer.Deserialize(await PostAsync("log/verify", ""), AdminJson.Default.VerificationModel)!;
        Assert.True(found.Valid);
        Assert.Equal(2, found.Position);
    }

    [Theory]
    [InlineData("keys", "[", null)]
    [InlineData("keys", "null", "$")]
    [InlineData("keys", """{"reusable": "yes"}""", "reusable")]
    [InlineData("keys", """{"expiresInSeconds": -1}""", "expiresInSeconds")]
    [InlineData("keys", """{"expiresInSeconds": 9223372036854775807}""", "expiresInSeconds")]
    [InlineData("keys", """{"expiresInSeconds": 1e99}""", "expiresInSeconds")]
    [InlineData("keys", """{"surprise": 1}""", "surprise")]
    [InlineData("keys", """{"tags": ["no tag"]}""", null)]
    [InlineData("users", """{"name": "\u001b"}""", "name")]
    [InlineData("users", """{"name": "ann", "email": "\u202ea"}""", "email")]
    [InlineData("users", """{"name": "77"}""", "name")]
    public async Task A_body_that_is_not_right_is_a_problem_that_names_the_field(string path, string body, string? field)
    {
        var problem = await RefusedAsync(HttpMethod.Post, path, body);
        Assert.Equal((400, ProblemType.Malformed), (problem.Status, problem.Type));
        if (field is not null) Assert.Equal(field, problem.Field);
        Assert.Empty(_coordinator.Network.Runtime.State.PreAuthKeys);
    }

    [Theory]
    [InlineData("PUT", "policy", """{"text": "allow"}""", 400)]
    [InlineData("PUT", "policy", "{}", 400)]
    [InlineData("DELETE", "policy", "", 405)]
    [InlineData("POST", "keys/7/revoke", "", 403)]
    [InlineData("POST", "keys/x/revoke", "", 400)]
    [InlineData("GET", "log?after=x", "", 400)]
    [InlineData("GET", "log?limit=0", "", 400)]
    [InlineData("GET", "../elsewhere/nodes", "", 404)]
    [InlineData("GET", "nothing", "", 404)]
    [InlineData("POST", "keys", """{"user": "nobody"}""", 404)]
    [InlineData("GET", "users/nobody", "", 404)]
    [InlineData("DELETE", "users/1?withNodes=2", "", 404)]
    [InlineData("POST", "/v1/challenge", "", 404)]
    public async Task Whatever_else_is_asked_wrongly_is_a_problem(string method, string path, string body, int status) =>
        Assert.Equal(status, (await RefusedAsync(new HttpMethod(method), path, body)).Status);

    [Fact]
    public async Task Random_and_oversized_bodies_are_problems()
    {
        foreach (string path in new[] { "keys", "policy" })
        {
            var method = path == "policy" ? HttpMethod.Put : HttpMethod.Post;
            for (int i = 0; i < 50; i++)
            {
                using var random = new HttpRequestMessage(method, path) { Content = new ByteArrayContent(RandomNumberGenerator.GetBytes(200)) };
                using var response = await _http.SendAsync(random);
                Assert.Equal(400, TestMachine.ProblemOf(response, await response.Content.ReadAsByteArrayAsync()).Status);
            }
            using var deep = new HttpRequestMessage(method, path) { Content = Json(new string('[', 50_000)) };
            using var refused = await _http.SendAsync(deep);
            Assert.Equal(400, (int)refused.StatusCode);
            long most = path == "policy" ? PolicyCalls.BodyBytes : AdminListener.BodyBytes;
            using var large = new HttpRequestMessage(method, path) { Content = new ByteArrayContent(new byte[most + 1]) };
            // Or the end of the connection may overtake the answer.
            large.Headers.ExpectContinue = true;
            using var tooLarge = await _http.SendAsync(large);
            Assert.Equal(413, TestMachine.ProblemOf(tooLarge, await tooLarge.Content.ReadAsByteArrayAsync()).Status);
        }
    }

    private async Task<string> PostAsync(string path, string body)
    {
        using var response = await _http.PostAsync(new Uri(path, UriKind.Relative), Json(body));
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return text;
    }

    private async Task<Problem> RefusedAsync(HttpMethod method, string path, string body)
    {
        using var request = new HttpRequestMessage(method, path) { Content = method == HttpMethod.Get ? null : Json(body) };
        using var response = await _http.SendAsync(request);
        return TestMachine.ProblemOf(response, await response.Content.ReadAsByteArrayAsync());
    }

    private static StringContent Json(string body) => new(body, new MediaTypeHeaderValue("application/json"));

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static string Uid() => File.ReadLines("/proc/self/status").First(l => l.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[2];
}
