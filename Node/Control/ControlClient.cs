using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Net.Sockets;
using System.Text.Json;
using Google.Protobuf;
using Mesh.Node.State;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

/// <summary>The calls of the node API, over one HTTP/2 connection to one coordinator. Thread-safe. Throws only <see cref="ControlException"/>.</summary>
internal sealed class ControlClient : IDisposable
{
    /// <summary>From sending a request to the end of its answer (of the map: to the answer's headers).</summary>
    internal static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromHours(1);

    private readonly HttpClient _http;
    private readonly PinnedTls _tls;
    private readonly TimeProvider _time;
    private readonly JoinLink _link;

    /// <param name="link">Its pre-auth key is not looked at.</param>
    /// <param name="nextPin">That the pinned root said will follow; empty for none.</param>
    public ControlClient(JoinLink link, MachineIdentity machine, TimeProvider time, ReadOnlyMemory<byte> nextPin = default)
    {
        (_link, _time) = (link, time);
        _tls = new PinnedTls(new PinPair(link.Pin, nextPin), machine.Certificate, time);
        var handler = new SocketsHttpHandler
        {
            SslOptions = _tls.CreateOptions(),
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            KeepAlivePingDelay = ControlLimits.KeepAliveInterval,
            KeepAlivePingTimeout = TimeSpan.FromSeconds(20),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            MaxResponseHeadersLength = 16,
        };
        _http = new HttpClient(handler, disposeHandler: true)
        {
            BaseAddress = new Uri($"https://{link.Authority}"),
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
    }

    /// <summary>SubjectPublicKeyInfo of the pinned root; null before the first trusted connection.</summary>
    public byte[]? RootSpki => _tls.RootSpki;

    /// <summary>What is trusted now.</summary>
    public PinPair Pins => _tls.Pins;

    /// <summary>Trusts a next root beside the present one, which has named it.</summary>
    public void Expect(ReadOnlyMemory<byte> nextPin) => _tls.Expect(nextPin);

    /// <summary>True when the coordinator's certificate begins in the future: one of the two clocks is off.</summary>
    public bool CertificateFromTheFuture => _tls.Last?.Verdict == TrustVerdict.TrustedButFromTheFuture;

    /// <summary>The header of every request.</summary>
    public RequestHeader Header() => new()
    {
        ProtocolVersion = ProtocolVersion.Current,
        Capabilities = { Capability.TwoNodeKeys, Capability.PacketFilter },
        Network = _link.Network ?? NetworkName.Default,
    };

    public Task<ChallengeResponse> ChallengeAsync(CancellationToken cancel) =>
        CallAsync(NodeApi.Challenge, new ChallengeRequest { Header = Header() }, ChallengeResponse.Parser, cancel);

    public Task<RegisterResponse> RegisterAsync(RegisterRequest request, CancellationToken cancel) =>
        CallAsync(NodeApi.Register, request, RegisterResponse.Parser, cancel);

    public Task<ReportResponse> ReportAsync(ReportRequest request, CancellationToken cancel) =>
        CallAsync(NodeApi.Report, request, ReportResponse.Parser, cancel);

    public Task<ReachResponse> ReachAsync(ReachRequest request, CancellationToken cancel) =>
        CallAsync(NodeApi.Reach, request, ReachResponse.Parser, cancel);

    public Task<RotateResponse> RotateAsync(RotateRequest request, CancellationToken cancel) =>
        CallAsync(NodeApi.Rotate, request, RotateResponse.Parser, cancel);

    public Task<LogoutResponse> LogoutAsync(CancellationToken cancel) =>
        CallAsync(NodeApi.Logout, new LogoutRequest { Header = Header() }, LogoutResponse.Parser, cancel);

    /// <summary>Opens the long poll. The caller disposes the answer.</summary>
    public async Task<MapPoll> OpenMapAsync(MapRequest request, CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(RequestTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        HttpResponseMessage? answer = null;
        try
        {
            answer = await SendAsync(NodeApi.Map, request, both.Token).ConfigureAwait(false);
            var stream = await answer.Content.ReadAsStreamAsync(both.Token).ConfigureAwait(false);
            var poll = new MapPoll(answer, new FrameReader(stream, _time));
            answer = null;
            return poll;
        }
        catch (Exception e) when (Translate(e, cancel, timeout.Token) is { } known)
        {
            throw known;
        }
        finally
        {
            answer?.Dispose();
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<T> CallAsync<T>(string path, IMessage request, MessageParser<T> parser, CancellationToken cancel)
        where T : IMessage<T>
    {
        using var timeout = new CancellationTokenSource(RequestTimeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        try
        {
            using var answer = await SendAsync(path, request, both.Token).ConfigureAwait(false);
            byte[] body = await ReadBoundedAsync(answer, ControlLimits.RequestBodyBytes, both.Token).ConfigureAwait(false);
            return parser.WithDiscardUnknownFields(true).ParseFrom(body);
        }
        catch (Exception e) when (Translate(e, cancel, timeout.Token) is { } known)
        {
            throw known;
        }
    }

    private async Task<HttpResponseMessage> SendAsync(string path, IMessage request, CancellationToken cancel)
    {
        using var content = new ByteArrayContent(request.ToByteArray());
        content.Headers.ContentType = new MediaTypeHeaderValue(NodeApi.MessageContentType);
        using var message = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = content,
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        var answer = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false);
        if (answer.StatusCode == HttpStatusCode.OK) return answer;
        using (answer) throw await RefusalAsync(answer, cancel).ConfigureAwait(false);
    }

    private async Task<ControlException> RefusalAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        string? type = null;
        string? detail = null;
        if (answer.Content.Headers.ContentType?.MediaType == NodeApi.ProblemContentType)
        {
            byte[] body = await ReadBoundedAsync(answer, ControlLimits.ProblemBodyBytes, cancel).ConfigureAwait(false);
            (type, detail) = Problem.Read(body);
        }
        var wait = answer.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - _time.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        int status = (int)answer.StatusCode;
        return new ControlException(ControlFailure.Refused, detail ?? $"the coordinator answered {status}")
        {
            Status = status,
            ProblemType = type,
            RetryAfter = wait is { } w ? TimeSpan.FromTicks(Math.Clamp(w.Ticks, 0, MaxRetryAfter.Ticks)) : null,
        };
    }

    private static async Task<byte[]> ReadBoundedAsync(HttpResponseMessage answer, int maxBytes, CancellationToken cancel)
    {
        using var stream = await answer.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        using var body = new MemoryStream();
        byte[] chunk = new byte[4096];
        while (await stream.ReadAsync(chunk, cancel).ConfigureAwait(false) is var n and > 0)
        {
            if (body.Length + n > maxBytes) throw new ControlException(ControlFailure.BadAnswer, "the coordinator's answer is longer than it may be");
            body.Write(chunk, 0, n);
        }
        return body.ToArray();
    }

    // Null: not ours to translate (a bug, the caller's cancellation, or translated already).
    internal ControlException? Translate(Exception e, CancellationToken callers, CancellationToken timeout)
    {
        // What failed by itself while the caller lost interest is no cancellation, and must not get out as a bare transport failure.
        if (e is ControlException || (e is OperationCanceledException && callers.IsCancellationRequested)) return null;
        if (timeout.IsCancellationRequested)
            return new ControlException(ControlFailure.TimedOut, $"the coordinator {_link.Authority} did not answer within {RequestTimeout.TotalSeconds} s", e);
        if (e is InvalidProtocolBufferException or JsonException)
            return new ControlException(ControlFailure.BadAnswer, "the coordinator's answer is not a message of this protocol", e);
        // A bare socket error comes of a connection that is reset as soon as it stands: .NET asks for its other end then.
        if (e is not (HttpRequestException or IOException or SocketException or OperationCanceledException)) return null;
        if (_tls.Last is { IsTrusted: false } judged && e is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError })
            return new ControlException(ControlFailure.NotTrusted, Explain(judged.Verdict), e) { Verdict = judged.Verdict };
        return new ControlException(ControlFailure.Unreachable, $"cannot reach the coordinator {_link.Authority}: {Reason(e)}", e);
    }

    private string Explain(TrustVerdict verdict) => verdict switch
    {
        TrustVerdict.WrongPin => $"the server at {_link.Authority} is not the coordinator of this join link (its pin differs); it was shown nothing",
        TrustVerdict.NotSignedByRoot => $"the server at {_link.Authority} only claims to be the coordinator of this join link; it was shown nothing",
        TrustVerdict.Expired => $"the certificate of the coordinator at {_link.Authority} has expired, or this machine's clock is ahead",
        _ => $"the server at {_link.Authority} is not a Mesh coordinator; it was shown nothing",
    };

    private static string Reason(Exception e)
    {
        var deepest = e;
        while (deepest.InnerException is { } inner) deepest = inner;
        return deepest is OperationCanceledException ? "no answer" : deepest.Message.TrimEnd('.');
    }
}
