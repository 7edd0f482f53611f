using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Hosting;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Cli;

/// <summary>Asks a running coordinator: through its admin socket, or over the network with its pin and an admin token.</summary>
internal sealed class AdminClient : IDisposable
{
    private const int MaxAnswerBytes = 64 * 1024 * 1024;

    // What a later coordinator says beyond this version is passed over; what one of another version leaves out and cannot be null is missed.
    private static readonly JsonSerializerOptions Tolerant = new(AdminJson.Default.Options)
    {
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Skip,
        TypeInfoResolver = AdminJson.Default.WithAddedModifier(static type =>
        {
            foreach (var property in type.Properties.Where(property => !property.IsGetNullable && !property.PropertyType.IsValueType)) property.IsRequired = true;
        }),
    };

    private readonly HttpClient _http;
    private readonly Func<Exception, CliFailure> _unreachable;

    private AdminClient(HttpMessageHandler handler, Uri address, Func<Exception, CliFailure> unreachable)
    {
        _http = new HttpClient(handler) { BaseAddress = address, MaxResponseContentBufferSize = MaxAnswerBytes, Timeout = Timeout.InfiniteTimeSpan };
        _unreachable = unreachable;
    }

    public static AdminClient OverSocket(string stateDirectory)
    {
        string path = StateDirectory.AdminSocketOf(stateDirectory);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        return new AdminClient(handler, new Uri("http://coordinator/"), e =>
            e.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied }
                ? new CliFailure(ExitCode.Unreachable, $"the admin socket {path} is not ours to use",
                    "run this as the user that runs the coordinator, or as root")
                : new CliFailure(ExitCode.Unreachable, $"no coordinator answers at {path}",
                    "is 'mesh-coordinator serve' running with this --state-dir?"));
    }

    /// <summary>HOST:PORT of a coordinator that is asked over the network; null on the socket.</summary>
    public string? Authority { get; private init; }

    /// <param name="token">An admin token's text.</param>
    public static AdminClient OverNetwork(JoinLink link, string token)
    {
        var connection = new PinnedConnection(link, TimeProvider.System);
        var client = new AdminClient(connection.CreateHandler(), new Uri($"https://{link.Authority}/"), e => Explain(e, link, connection.Verdict)) { Authority = link.Authority };
        client._http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    public Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, path, null, type, cancellation);

    /// <summary>As <see cref="GetAsync"/>, with the entity tag that a change of it can name.</summary>
    public async Task<(T Value, string? Tag)> GetTaggedAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        string? tag = null;
        var value = await AskAsync(HttpMethod.Get, path, null, null, HttpCompletionOption.ResponseContentRead, async response =>
        {
            tag = response.Headers.ETag?.Tag;
            return await ReadAsync(response, type, cancellation);
        }, cancellation);
        return (value, tag);
    }

    /// <summary>A whole list, page by page.</summary>
    public async Task<ListModel<T>> ListAsync<T>(string path, JsonTypeInfo<ListModel<T>> type, CancellationToken cancellation)
    {
        List<T> items = [];
        string? next = null;
        do
        {
            var page = await GetAsync(next is null ? path : $"{path}?after={Uri.EscapeDataString(next)}", type, cancellation);
            items.AddRange(page.Items);
            next = page.Next;
        }
        while (next is not null);
        return new ListModel<T>(items);
    }

    public Task<T> PostAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, path, null, type, cancellation);

    /// <param name="ifMatch">Deletes only what still has this entity tag; null whatever it has.</param>
    public Task<T> DeleteAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellation, string? ifMatch = null) =>
        SendAsync(HttpMethod.Delete, path, null, type, cancellation, ifMatch);

    public Task<T> SendAsync<TBody, T>(
        HttpMethod method, string path, TBody body, JsonTypeInfo<TBody> bodyType, JsonTypeInfo<T> type, CancellationToken cancellation,
        string? ifMatch = null)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, bodyType));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return SendAsync(method, path, content, type, cancellation, ifMatch);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Copies a text answer of any length as it comes.</summary>
    public Task CopyAsync(string path, TextWriter output, CancellationToken cancellation) =>
        AskAsync(HttpMethod.Get, path, null, null, HttpCompletionOption.ResponseHeadersRead, async response =>
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation));
            char[] buffer = new char[16 * 1024];
            for (int read; (read = await reader.ReadAsync(buffer, cancellation)) > 0;) await output.WriteAsync(buffer.AsMemory(0, read), cancellation);
            return true;
        }, cancellation);

    /// <summary>Copies an answer of any length as it comes.</summary>
    public Task CopyAsync(string path, Stream output, CancellationToken cancellation) =>
        AskAsync(HttpMethod.Get, path, null, null, HttpCompletionOption.ResponseHeadersRead, async response =>
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
        HttpMethod method, string path, HttpContent? content, JsonTypeInfo<T> type, CancellationToken cancellation, string? ifMatch = null) =>
        AskAsync(method, path, content, ifMatch, HttpCompletionOption.ResponseContentRead, response => ReadAsync(response, type, cancellation), cancellation);

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        (T?)JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(cancellation), Tolerant.GetTypeInfo(type.Type)) ?? throw new JsonException("null");

    private async Task<T> AskAsync<T>(
        HttpMethod method, string path, HttpContent? content, string? ifMatch, HttpCompletionOption until, Func<HttpResponseMessage, Task<T>> read,
        CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        string version = "";
        try
        {
            using var response = await _http.SendAsync(request, until, cancellation);
            if (response.Headers.TryGetValues(AdminApi.VersionHeader, out var said)) version = Printable(said.First());
            if (!response.IsSuccessStatusCode) throw Refusal(version, response, await response.Content.ReadAsByteArrayAsync(cancellation));
            return await read(response);
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or ArgumentOutOfRangeException or IOException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw _unreachable(e);
        }
        catch (JsonException)
        {
            throw new CliFailure(ExitCode.Unreachable, "the coordinator's answer makes no sense to this version", OtherVersion(version));
        }
    }

    /// <summary>What to do about a coordinator that does not understand this program, or the other way round.</summary>
    private static string OtherVersion(string version) => version.Length > 0 && version != AdminQueries.Version
        ? $"the coordinator is of version {version}, this program of {AdminQueries.Version}: use the program of the version that runs"
        : "use the mesh-coordinator program of the version that runs";

    private static string Printable(string text) => string.Concat(text.Where(c => c is > ' ' and <= '~').Take(40));

    private static CliFailure Refusal(string version, HttpResponseMessage response, byte[] body)
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
                OtherVersion(version))
            : new CliFailure(problem.Type == ProblemType.Token ? ExitCode.TokenRefused : ExitCode.Refused, problem.Detail,
                // An address or a member that one of the two does not know.
                version != AdminQueries.Version && problem.Status is 400 or 404 or 405 ? OtherVersion(version) : null);
    }

    private static CliFailure Explain(Exception e, JoinLink link, TrustVerdict? verdict)
    {
        bool isTls = e is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError };
        return (isTls ? verdict : null) switch
        {
            TrustVerdict.WrongPin => new CliFailure(ExitCode.Unreachable,
                $"the server at {link.Authority} is a coordinator, but not the one that the pin names; it was sent nothing",
                "take the address anew from 'mesh-coordinator status' on the coordinator's machine; ask yourself why it changed"),
            TrustVerdict.Expired => new CliFailure(ExitCode.Unreachable,
                $"the certificate of the coordinator at {link.Authority} has expired; it was sent nothing",
                "check this machine's clock; 'mesh-coordinator root show' says until when the issuer is good"),
            TrustVerdict.NotACoordinator or TrustVerdict.NotSignedByRoot => new CliFailure(ExitCode.Unreachable,
                $"the server at {link.Authority} is not the coordinator that the pin names; it was sent nothing", "check host and port"),
            _ => new CliFailure(ExitCode.Unreachable, $"no coordinator answers at {link.Authority}",
                "is it served with --admin-listen, and is this the admin port, not that of the nodes?"),
        };
    }
}
