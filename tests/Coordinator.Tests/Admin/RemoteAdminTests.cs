using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Tests.Cli;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Admin;

/// <summary>The admin API as the network sees it.</summary>
public sealed class RemoteAdminTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _coordinator = await ServedCoordinator.StartAsync();
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                RemoteCertificateValidationCallback = (_, leaf, _, _) =>
                    CoordinatorTrust.Judge(leaf as X509Certificate2, _coordinator.Server.Keys.Pin.Span, _coordinator.Clock.GetUtcNow(), out var _)
                        is TrustVerdict.Trusted,
            },
        })
        { BaseAddress = new Uri($"https://{_coordinator.Server.AdminEndPoint}/") };
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return _coordinator.DisposeAsync();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer mtok_")]
    [InlineData("Bearer mtok_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("Basic bXRvazp4")]
    public async Task Without_a_good_token_nothing_is_answered_but_that(string? authorization)
    {
        foreach (string path in new[] { "v1/status", "v1/tokens", "v1/openapi.json", "nothing", "v1/networks/elsewhere/keys" })
        {
            var problem = await AskAsync(path, authorization);
            Assert.Equal((401, ProblemType.Token), (problem!.Status, problem.Type));
        }
    }

    [Fact]
    public async Task A_token_lets_in_until_it_is_revoked()
    {
        var (token, text) = Create("alice");
        Assert.Null(await AskAsync("v1/status", $"Bearer {text}"));
        Assert.Null(await AskAsync("v1/status", $"bearer {text}"));
        _coordinator.Server.Tokens.Revoke(token.Id, Actor.System);
        Assert.Equal(401, (await AskAsync("v1/status", $"Bearer {text}"))!.Status);
    }

    [Fact]
    public async Task Two_authorizations_are_none()
    {
        var (_, text) = Create("alice");
        using var request = new HttpRequestMessage(HttpMethod.Get, "v1/status");
        request.Headers.TryAddWithoutValidation("Authorization", [$"Bearer {text}", "Bearer other"]);
        using var response = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task Many_bad_tokens_are_too_many_and_a_good_one_passes_all_the_same()
    {
        var (_, text) = Create("alice");
        List<int> answers = [];
        for (int i = 0; i < 20; i++) answers.Add((await AskAsync("v1/status", "Bearer wrong"))!.Status);
        Assert.Equal(401, answers[0]);
        Assert.Equal(429, answers[^1]);
        Assert.Null(await AskAsync("v1/status", $"Bearer {text}"));
        _coordinator.Clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(401, (await AskAsync("v1/status", "Bearer wrong"))!.Status);
    }

    [Fact]
    public async Task An_address_has_a_rate_whatever_it_shows()
    {
        var (_, text) = Create("alice");
        Problem? problem = null;
        for (int i = 0; i <= 4 * AdminGate.RequestsPerSecond && problem is null; i++) problem = await AskAsync("v1/status", $"Bearer {text}");
        Assert.Equal(429, problem!.Status);
    }

    [Fact]
    public async Task The_log_names_the_token_that_did_it()
    {
        var (_, text) = Create("alice-laptop");
        var environment = new Dictionary<string, string> { ["MESH_TOKEN"] = text };
        var done = await Said.ByAsync(environment, "policy", "set", "--allow-all", "--yes", "--coordinator", _coordinator.AdminAddress);
        Assert.Equal((0, ""), (done.ExitCode, done.Error));
        var log = await Said.ByAsync("log", "list", "--actor", "alice-laptop", "--state-dir", _coordinator.StateDirectory);
        Assert.Contains("alice-laptop (token 1)", log.Output, StringComparison.Ordinal);
        Assert.Contains("policy set to allow-all", log.Output, StringComparison.Ordinal);
        Assert.All(_coordinator.Log.Lines, line => Assert.DoesNotContain(text, line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_node_api_is_not_reached_here_nor_the_admin_api_there()
    {
        var (_, text) = Create("alice");
        Assert.Equal(404, (await AskAsync("v1/map", $"Bearer {text}"))!.Status);
        using var machine = new TestMachine(_coordinator);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/status") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", text) } };
        using var response = await machine.SendAsync(request);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task A_change_names_what_it_was_made_of_and_is_refused_when_that_is_no_more()
    {
        var (_, text) = Create("alice");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", text);
        using var seen = await _http.GetAsync(new Uri("v1/networks/default/policy", UriKind.Relative));
        string tag = seen.Headers.ETag!.Tag;
        Assert.Equal(200, await PutPolicyAsync(NetworkPolicy.AllowAllText, tag));
        Assert.Equal(412, await PutPolicyAsync(NetworkPolicy.DenyAllText, tag));
        Assert.Equal(200, await PutPolicyAsync(NetworkPolicy.DenyAllText, "*"));
        Assert.Equal(400, await PutPolicyAsync(NetworkPolicy.AllowAllText, "no tag"));
        Assert.Equal(412, await PutPolicyAsync(NetworkPolicy.AllowAllText, "W/" + tag));
        Assert.Equal(200, await PutPolicyAsync(NetworkPolicy.AllowAllText, null));
    }

    [Fact]
    public async Task A_nodes_tag_outlives_its_coming_and_going_but_not_a_new_name()
    {
        var (_, text) = Create("alice");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", text);
        using var machine = await _coordinator.JoinAsync("web");
        string tag = await NodeTagAsync();
        using (await machine.PollAsync()) Assert.Equal(tag, await NodeTagAsync());
        await machine.ReportAsync(TestMachine.Local("127.0.0.1:4000"));
        Assert.Equal(tag, await NodeTagAsync());
        var renamed = await Said.ByAsync("nodes", "rename", "web", "www", "--state-dir", _coordinator.StateDirectory);
        Assert.Equal(0, renamed.ExitCode);
        using var request = new HttpRequestMessage(HttpMethod.Delete, $"v1/networks/default/nodes/{machine.NodeId}");
        request.Headers.TryAddWithoutValidation("If-Match", tag);
        using var response = await _http.SendAsync(request);
        Assert.Equal(HttpStatusCode.PreconditionFailed, response.StatusCode);
        Assert.Single(_coordinator.Network.Runtime.State.Nodes);

        async Task<string> NodeTagAsync()
        {
            using var answer = await _http.GetAsync(new Uri($"v1/networks/default/nodes/{machine.NodeId}", UriKind.Relative));
            return answer.Headers.ETag!.Tag;
        }
    }

    [Fact]
    public async Task Pages_of_any_size_make_the_whole_list()
    {
        for (int i = 0; i < 7; i++) await _coordinator.CreateKeyAsync();
        var (_, text) = Create("alice");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", text);
        for (int limit = 1; limit <= 8; limit++)
        {
            List<ulong> ids = [];
            string? next = null;
            do
            {
                string json = await _http.GetStringAsync(new Uri($"v1/networks/default/keys?limit={limit}{(next is null ? "" : "&after=" + next)}", UriKind.Relative));
                var page = System.Text.Json.JsonSerializer.Deserialize(json, AdminJson.Default.ListModelKeyModel)!;
                Assert.InRange(page.Items.Count, 1, limit);
                ids.AddRange(page.Items.Select(key => key.Id));
                next = page.Next;
            }
            while (next is not null);
            Assert.Equal([1, 2, 3, 4, 5, 6, 7], ids);
        }
    }

    private (AdminToken Token, string Text) Create(string name) => _coordinator.Server.Tokens.Create(name, null, Actor.System);

    private async Task<int> PutPolicyAsync(string text, string? ifMatch)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, "v1/networks/default/policy") { Content = JsonContent.Create(new SetPolicyModel(text), AdminJson.Default.SetPolicyModel) };
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        using var response = await _http.SendAsync(request);
        return (int)response.StatusCode;
    }

    /// <summary>Null when it was answered.</summary>
    private async Task<Problem?> AskAsync(string path, string? authorization)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (authorization is not null) request.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var response = await _http.SendAsync(request);
        return response.IsSuccessStatusCode ? null : TestMachine.ProblemOf(response, await response.Content.ReadAsByteArrayAsync());
    }
}
