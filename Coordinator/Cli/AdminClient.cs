using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Hosting;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Cli;

/// <summary>Asks a running coordinator through its admin socket.</summary>
internal sealed class AdminClient : IDisposable
{
    private const int MaxAnswerBytes = 64 * 1024 * 1024;

    private readonly string _socket;
    private readonly HttpClient _http;

    public AdminClient(string stateDirectory)
    {
        _socket = StateDirectory.AdminSocketOf(stateDirectory);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://coordinator/"), MaxResponseContentBufferSize = MaxAnswerBytes };
    }

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, path, null, type, cancellation);

    public Task<T> PostAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, path, null, type, cancellation);

    public Task<T> SendAsync<TBody, T>(
        HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, bodyType));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return SendAsync(method, path, content, type, cancellation);
    }

    public void Dispose() => _http.Dispose();

    private async Task<T> SendAsync<T>(
        HttpMethod method, string path, HttpContent? content, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        try
        {
            using var response = await _http.SendAsync(request, cancellation);
            byte[] body = await response.Content.ReadAsByteArrayAsync(cancellation);
            if (!response.IsSuccessStatusCode) throw Refusal(response, body);
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException("null");
        }
        catch (HttpRequestException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied })
        {
            throw new CliFailure(ExitCode.Unreachable, $"the admin socket {_socket} is not ours to use",
                "run this as the user that runs the coordinator, or as root");
        }
        catch (Exception e) when (e is HttpRequestException or ArgumentOutOfRangeException or IOException)
        {
            throw new CliFailure(ExitCode.Unreachable, $"no coordinator answers at {_socket}",
                "is 'mesh-coordinator serve' running with this --state-dir?");
        }
        catch (JsonException)
        {
            throw new CliFailure(ExitCode.Unreachable, "the coordinator's answer makes no sense to this version",
                "use the mesh-coordinator program of the version that runs");
        }
    }

    private static CliFailure Refusal(HttpResponseMessage response, byte[] body)
    {
        Problem? problem = null;
        try
        {
            if (response.Content.Headers.ContentType?.MediaType == NodeApi.ProblemContentType)
                problem = JsonSerializer.Deserialize(body, ProblemJson.Default.Problem);
        }
        catch (JsonException)
        {
            // Said below.
        }
        return problem is null
            ? new CliFailure(ExitCode.Refused, $"the coordinator answered with status {(int)response.StatusCode}",
                "use the mesh-coordinator program of the version that runs")
            : new CliFailure(ExitCode.Refused, problem.Detail);
    }
}
