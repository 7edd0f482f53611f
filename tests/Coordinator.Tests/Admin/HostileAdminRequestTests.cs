using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Hosting;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Admin;

/// <summary>
/// Every endpoint with every kind of wrong value, from what the endpoints say of themselves: a new one is in the table
/// without anybody's doing. Each must end in a problem of a stable type that names the field, and change nothing.
/// </summary>
public sealed class HostileAdminRequestTests : IAsyncLifetime
{
    private static readonly string[] HostileTexts =
    [
        "", " ", "../../etc/passwd", "%2e%2e%2f", "\u0000", "\u001b[2J\u001b]0;x\u0007", "\ud800", "\u202eabc", "'; DROP TABLE events; --", "{{7*7}}",
        "-", "a_b", "A", new string('a', 64), new string('a', 5000), "ünï", "NaN", "-1", "0x10", "1e5", "18446744073709551616", "1 ", "+1",
    ];

    private static readonly HashSet<string> StableTypes =
    [
        .. typeof(ProblemType).GetFields().Where(field => field.IsLiteral && field.IsPublic).Select(field => (string)field.GetRawConstantValue()!),
    ];

    private ServedCoordinator _coordinator = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _coordinator = await ServedCoordinator.StartAsync();
        _http = AdminSocket.Client(_coordinator);
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return _coordinator.DisposeAsync();
    }

    [Fact]
    public async Task Wrong_bodies_are_problems_that_name_the_field()
    {
        using var machine = await _coordinator.JoinAsync("web");
        await _coordinator.Network.Runtime.ExecuteAsync(
            new Mesh.Coordinator.Network.CreateUser("ann"), Mesh.Coordinator.Log.Actor.System, Mesh.Coordinator.Log.IdempotencyKey.None);
        string before = Picture();
        int tried = 0;
        foreach (var (method, path, operation) in AdminSocket.Endpoints(_coordinator))
        {
            if (operation!.Request is not { } type) continue;
            string address = Fill(path, machine.NodeId);
            foreach (var (body, field) in WrongBodies(type))
            {
                var problem = await AskAsync(method, address, body);
                Assert.True(problem is not null, $"{method} {path} took {Shorten(body)}");
                Assert.True(problem.Status is 400 or 413, $"{method} {path} answered {problem.Status} to {Shorten(body)}");
                Assert.Contains(problem.Type, StableTypes);
                Assert.True(problem.Field == field || (field == "*" && problem.Field is not null),
                    $"{method} {path}: {Shorten(body)} is the fault of {field}, not {problem.Field}");
                tried++;
            }
        }
        Assert.True(tried > 50, $"only {tried} bodies tried");
        Assert.Equal(before, Picture());
    }

    [Fact]
    public async Task Hostile_texts_in_bodies_are_taken_as_text_or_refused_by_name()
    {
        foreach (var (method, path, operation) in AdminSocket.Endpoints(_coordinator))
        {
            if (operation!.Request is not { } type) continue;
            foreach (var property in type.Properties.Where(p => p.PropertyType == typeof(string)))
            {
                foreach (string text in HostileTexts)
                {
                    var body = Valid(type);
                    body[property.Name] = "\u0001";
                    // A lone surrogate can't be written by a serializer; a hostile client sends it escaped.
                    string json = body.ToJsonString().Replace("\"\\u0001\"", Escape(text), StringComparison.Ordinal);
                    var problem = await AskAsync(method, Fill(path, 12345), json);
                    if (problem is null) continue;
                    Assert.True(problem.Status is >= 400 and < 500, $"{method} {path} {property.Name}={Shorten(text)}: {problem.Status} {problem.Detail}");
                    Assert.Contains(problem.Type, StableTypes);
                    // What contradicts the state rather than a rule is no single field's fault.
                    Assert.True(problem.Field is not null || problem.Status == 409, $"{method} {path} {property.Name}={Shorten(text)} names no field: {problem.Detail}");
                    AssertHarmless(problem);
                }
            }
        }
        Assert.DoesNotContain(_coordinator.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Hostile_paths_and_queries_are_problems_that_name_the_parameter()
    {
        foreach (var (method, path, operation) in AdminSocket.Endpoints(_coordinator))
        {
            string? body = operation!.Request is { } type ? Valid(type).ToJsonString() : null;
            foreach (string text in HostileTexts)
            {
                // An empty segment is another address; a zero byte the server itself refuses; a lone surrogate is no URI.
                if (text is "" or "\0" or "\ud800") continue;
                foreach (string part in new[] { "{network}", "{id}", "{node}", "{user}" })
                {
                    if (!path.Contains(part, StringComparison.Ordinal)) continue;
                    string address = Fill(path.Replace(part, Uri.EscapeDataString(text), StringComparison.Ordinal), 12345);
                    var problem = await AskAsync(method, address, body);
                    Assert.True(problem is { Status: 400 or 403 or 404 or 414 or 431 }, $"{method} {address}: {problem}");
                    Assert.Contains(problem.Type, StableTypes);
                    AssertHarmless(problem);
                }
            }
            string query = Fill(path, 12345);
            foreach (var parameter in operation.Query)
            {
                foreach (string value in parameter.Most is { } most && most < long.MaxValue
                    ? ["", "x", "-1", "1.5", "0x1", " 1", $"{most + 1}", "99999999999999999999", new string('9', 400)]
                    : new[] { new string('a', 5000) })
                {
                    if (parameter.Name is "actor" or "node" && value.Length <= 256) continue;
                    var problem = await AskAsync(method, $"{query}?{parameter.Name}={Uri.EscapeDataString(value)}", body);
                    Assert.True(problem is { Status: 400 or 404 }, $"{method} {query}?{parameter.Name}={Shorten(value)}: {problem}");
                    if (problem.Status == 400) Assert.Equal(parameter.Name, problem.Field);
                }
                Assert.Equal(parameter.Name, (await AskAsync(method, $"{query}?{parameter.Name}=1&{parameter.Name}=2", body))!.Field);
            }
            Assert.Equal("surprise", (await AskAsync(method, $"{query}?surprise=1", body))!.Field);
            AssertHarmless((await AskAsync(method, $"{query}?{Uri.EscapeDataString("\u001b[2J")}=1", body))!);
            if (operation.Request is null) Assert.Equal("$", (await AskAsync(method, query, "{}"))!.Field);
        }
        Assert.DoesNotContain(_coordinator.Log.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_media_type_and_too_long_headers_are_problems()
    {
        using var form = new HttpRequestMessage(HttpMethod.Post, "v1/tokens") { Content = new StringContent("name=x", new MediaTypeHeaderValue("application/x-www-form-urlencoded")) };
        using var refused = await _http.SendAsync(form);
        Assert.Equal(415, TestMachine.ProblemOf(refused, await refused.Content.ReadAsByteArrayAsync()).Status);
        using var long1 = new HttpRequestMessage(HttpMethod.Post, "v1/networks/default/keys") { Content = Json("{}") };
        long1.Headers.Add("Idempotency-Key", new string('k', Caller.MaxKeyChars + 1));
        using var tooLong = await _http.SendAsync(long1);
        Assert.Equal("Idempotency-Key", TestMachine.ProblemOf(tooLong, await tooLong.Content.ReadAsByteArrayAsync()).Field);
        Assert.Empty(_coordinator.Server.Tokens.All);
    }

    private static IEnumerable<(string Body, string Field)> WrongBodies(JsonTypeInfo type)
    {
        foreach (string body in new[] { "", " ", "null", "[]", "\"x\"", "7", "true", "{", "{]", "nul", "{} {}", "// no", new string('[', 1000) }) yield return (body, "$");
        yield return (new string(' ', AdminListener.BodyBytes + 1), "$");
        var valid = Valid(type);
        valid["surprise"] = 1;
        yield return (valid.ToJsonString(), "surprise");
        valid.Remove("surprise");
        valid[new string('x', 3000)] = 1;
        yield return (valid.ToJsonString(), "$");
        foreach (var property in type.Properties)
        {
            if (property.IsRequired)
            {
                var missing = Valid(type);
                missing.Remove(property.Name);
                yield return (missing.ToJsonString(), property.Name);
            }
            foreach (string wrong in WrongValues(property.PropertyType))
            {
                var body = Valid(type);
                body[property.Name] = "\u0001";
                yield return (body.ToJsonString().Replace("\"\\u0001\"", wrong, StringComparison.Ordinal), "*");
            }
            var twice = Valid(type);
            twice[property.Name] ??= null;
            yield return (twice.ToJsonString()[..^1] + $",\"{property.Name}\":null}}", "*");
        }
    }

    private static string[] WrongValues(Type type) =>
        type == typeof(string) ? ["7", "true", "[]", "{}", "[\"a\"]"]
        : type == typeof(bool) ? ["null", "1", "\"true\"", "[]"]
        : type == typeof(ulong?) ? ["\"1\"", "1.5", "true", "[]", "-1", "1e99", "18446744073709551616"]
        : type == typeof(long?) ? ["\"1\"", "1.5", "true", "[]", "-1", "1e99", "9223372036854775807", "9223372036854775808"]
        : ["7", "\"x\"", "{}", "[null]", "[7]", "[[]]", "[\"no tag\"]"];

    // The smallest body that has every required member.
    private static JsonObject Valid(JsonTypeInfo type)
    {
        var body = new JsonObject();
        foreach (var property in type.Properties.Where(p => p.IsRequired)) body[property.Name] = property.PropertyType == typeof(string) ? "valid"
            : property.PropertyType == typeof(IReadOnlyList<string>) ? new JsonArray("tag:valid") : null;
        return body;
    }

    private static string Fill(string path, ulong node) => path
        .Replace("{network}", "default", StringComparison.Ordinal).Replace("{id}", "77", StringComparison.Ordinal)
        .Replace("{node}", $"{node}", StringComparison.Ordinal).Replace("{user}", "ann", StringComparison.Ordinal);

    private static string Escape(string text) => "\"" + string.Concat(text.Select(c => $"\\u{(int)c:x4}")) + "\"";

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..60] + "…";

    private static StringContent Json(string body) => new(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));

    private static void AssertHarmless(Problem problem) =>
        Assert.All(problem.Detail + problem.Field + problem.Title, c => Assert.False(char.IsControl(c) || char.IsSurrogate(c) || c == '\u202e'));

    private string Picture() => $"{_coordinator.Network.Runtime.State.Position} {_coordinator.Server.Networks.All.Count} {_coordinator.Server.Tokens.All.Count}";

    /// <summary>Null when it was answered with success.</summary>
    private async Task<Problem?> AskAsync(string method, string path, string? body)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative)) { Content = body is null ? null : Json(body) };
        // A body that is refused by its length is not sent then, which would meet a closed connection.
        request.Headers.ExpectContinue = body?.Length > AdminListener.BodyBytes;
        using var response = await _http.SendAsync(request);
        byte[] answer = await response.Content.ReadAsByteArrayAsync();
        return response.IsSuccessStatusCode ? null : TestMachine.ProblemOf(response, answer);
    }
}
