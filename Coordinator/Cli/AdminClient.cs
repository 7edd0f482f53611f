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

    public Task<T> DeleteAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Delete, path, null, type, cancellation);

    public Task<T> SendAsync<TBody, T>(
        HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, bodyType));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return SendAsync(method, path, content, type, cancellation);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Copies a text answer of any length as it comes.</summary>
    public Task CopyAsync(string path, TextWriter output, CancellationToken cancellation) =>
        AskAsync(HttpMethod.Get, path, null, HttpCompletionOption.ResponseHeadersRead, async response =>
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation));
            char[] buffer = new char[16 * 1024];
            for (int read; (read = await reader.ReadAsync(buffer, cancellation)) > 0;) await output.WriteAsync(buffer.AsMemory(0, read), cancellation);
            return true;
        }, cancellation);

    /// <summary>Copies an answer of any length as it comes.</summary>
    public Task CopyAsync(string path, Stream output, CancellationToken cancellation) =>
        AskAsync(HttpMethod.Get, path, null, HttpCompletionOption.ResponseHeadersRead, async response =>
        {
            await using var from = await response.Content.ReadAsStreamAsync(cancellation);
            byte[] buffer = new byte[64 * 1024];
            for (int read; (read = await from.ReadAsync(buffer, cancellation)) > 0;)
            {
                try
                {
                    await output.WriteAsync(buffer.AsMemory(0, read), cancellation);
                }
                catch (IOException e)
                {
                    throw new CliFailure(ExitCode.Refused, $"what the coordinator sent cannot be written: {e.Message}", "check free space");
                }
            }
            return true;
        }, cancellation);

    private Task<T> SendAsync<T>(
        HttpMethod method, string path, HttpContent? content, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        AskAsync(method, path, content, HttpCompletionOption.ResponseContentRead, async response =>
            JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellation), type) ?? throw new JsonException("null"), cancellation);

    private async Task<T> AskAsync<T>(
        HttpMethod method, string path, HttpContent? content, HttpCompletionOption until, Func<HttpResponseMessage, Task<T>> read,
        CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        try
        {
            using var response = await _http.SendAsync(request, until, cancellation);
            if (!response.IsSuccessStatusCode) throw Refusal(response, await response.Content.ReadAsByteArrayAsync(cancellation));
            return await read(response);
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
