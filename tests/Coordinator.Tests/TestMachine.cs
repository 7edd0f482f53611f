using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Crypto;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests;

/// <summary>A coordinator that machines can reach.</summary>
internal interface ITestCoordinator
{
    IPEndPoint EndPoint { get; }

    ReadOnlyMemory<byte> Pin { get; }

    /// <summary>By which certificates are judged.</summary>
    DateTimeOffset Now { get; }
}

/// <summary>A machine as the coordinator meets it: its key, a TLS connection, and the calls.</summary>
internal class TestMachine : IDisposable
{
    private readonly ITestCoordinator _coordinator;
    private readonly X509Certificate2 _certificate;
    private readonly HttpClient _http;

    /// <param name="certificate">The machine's; a fresh P-256 one by default.</param>
    public TestMachine(ITestCoordinator coordinator, X509Certificate2? certificate = null)
    {
        _coordinator = coordinator;
        _certificate = certificate ?? SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP256));
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls13,
                LocalCertificateSelectionCallback = (_, _, _, _, _) => _certificate,
                RemoteCertificateValidationCallback = (_, leaf, _, _) =>
                    CoordinatorTrust.Judge(leaf as X509Certificate2, coordinator.Pin.Span, coordinator.Now, out var _)
                        is TrustVerdict.Trusted,
            },
        })
        {
            DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromSeconds(60),
        };
    }

    public X25519PrivateKey NodeKey { get; set; } = X25519PrivateKey.Generate();

    public byte[] BootId { get; set; } = RandomNumberGenerator.GetBytes(16);

    /// <summary>What it says that it can do, when it registers and polls.</summary>
    public List<Capability> Capabilities { get; } = [];

    public ulong NodeId { get; private set; }

    public byte[] Spki => _certificate.PublicKey.ExportSubjectPublicKeyInfo();

    public X509Certificate2 Certificate => _certificate;

    public static X509Certificate2 SelfSigned(ECDsa key) =>
        new CertificateRequest("CN=machine", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(10));

    public static RequestHeader Header(string network = "default") => new() { ProtocolVersion = ProtocolVersion.Current, Network = network };

    public async Task<RegisterResponse> RegisterAsync(string? key, string hostname = "machine")
    {
        var request = new RegisterRequest
        {
            Header = CapableHeader(), NodeKey = await ProveAsync(NodeKey), PreAuthKey = key ?? "", Hostname = hostname,
            Host = new HostFacts { Os = "linux", MeshVersion = "0.1.0" },
        };
        var response = await CallAsync(NodeApi.Register, request, RegisterResponse.Parser);
        NodeId = response.NodeId;
        return response;
    }

    private RequestHeader CapableHeader()
    {
        var header = Header();
        header.Capabilities.AddRange(Capabilities);
        return header;
    }

    public Task<ChallengeResponse> ChallengeAsync() =>
        CallAsync(NodeApi.Challenge, new ChallengeRequest { Header = Header() }, ChallengeResponse.Parser);

    public async Task<NodeKeyProof> ProveAsync(X25519PrivateKey nodeKey) => Prove(nodeKey, await ChallengeAsync());

    public NodeKeyProof Prove(X25519PrivateKey nodeKey, ChallengeResponse challenge)
    {
        byte[] proof = new byte[32];
        Assert.True(NodeKeyProofMac.TryCompute(
            nodeKey, new X25519PublicKey(challenge.ChallengeKey.Span), challenge.Nonce.Span, Spki, nodeKey.PublicKey, challenge.NetworkId.Span, proof));
        return new NodeKeyProof
        {
            NodeKey = ByteString.CopyFrom(nodeKey.PublicKey.AsSpan()), ChallengeId = challenge.ChallengeId, Proof = ByteString.CopyFrom(proof),
        };
    }

    public Task<ReportResponse> ReportAsync(params Endpoint[] endpoints)
    {
        var request = new ReportRequest { Header = Header(), BootId = ByteString.CopyFrom(BootId) };
        request.Endpoints.AddRange(endpoints);
        return CallAsync(NodeApi.Report, request, ReportResponse.Parser);
    }

    public static Endpoint Local(string endpoint)
    {
        var parsed = IPEndPoint.Parse(endpoint);
        return new Endpoint
        {
            Address = ByteString.CopyFrom(parsed.Address.GetAddressBytes()), Port = (uint)parsed.Port, Source = EndpointSource.Local,
        };
    }

    public async Task<T> CallAsync<T>(string path, IMessage request, MessageParser<T> parser)
        where T : IMessage<T>
    {
        using var response = await SendAsync(path, request.ToByteArray());
        byte[] body = await response.Content.ReadAsByteArrayAsync();
        if (!response.IsSuccessStatusCode) throw new ProblemReceived(ProblemOf(response, body));
        return parser.ParseFrom(body);
    }

    /// <summary>The problem that a call is answered with.</summary>
    public async Task<Problem> RefusedAsync(string path, IMessage request)
    {
        using var response = await SendAsync(path, request.ToByteArray());
        return ProblemOf(response, await response.Content.ReadAsByteArrayAsync());
    }

    public Task<HttpResponseMessage> SendAsync(
        string path, byte[] body, string contentType = NodeApi.MessageContentType, HttpCompletionOption until = HttpCompletionOption.ResponseContentRead)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        return SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = content }, until);
    }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, HttpCompletionOption until = HttpCompletionOption.ResponseContentRead)
    {
        request.RequestUri = new Uri($"https://{_coordinator.EndPoint}{request.RequestUri}");
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        return _http.SendAsync(request, until);
    }

    /// <summary>Opens a poll, which must be answered with frames.</summary>
    public async Task<TestPoll> PollAsync(ByteString? resumeToken = null)
    {
        var (response, stream) = await OpenPollAsync(resumeToken);
        return new TestPoll(response, stream);
    }

    /// <summary>As <see cref="PollAsync"/>, for who reads the frames himself.</summary>
    public async Task<(HttpResponseMessage Response, Stream Frames)> OpenPollAsync(ByteString? resumeToken = null)
    {
        var request = new MapRequest { Header = CapableHeader(), BootId = ByteString.CopyFrom(BootId), ResumeToken = resumeToken ?? ByteString.Empty };
        var response = await SendAsync(NodeApi.Map, request.ToByteArray(), until: HttpCompletionOption.ResponseHeadersRead);
        if (!response.IsSuccessStatusCode)
            throw new ProblemReceived(ProblemOf(response, await response.Content.ReadAsByteArrayAsync()));
        return (response, await response.Content.ReadAsStreamAsync());
    }

    public void Dispose() => _http.Dispose();

    public static Problem ProblemOf(HttpResponseMessage response, byte[] body)
    {
        Assert.False(response.IsSuccessStatusCode);
        Assert.Equal(NodeApi.ProblemContentType, response.Content.Headers.ContentType?.MediaType);
        Assert.True(body.Length <= ControlLimits.ProblemBodyBytes);
        var problem = JsonSerializer.Deserialize(body, ProblemJson.Default.Problem);
        Assert.NotNull(problem);
        Assert.Equal((int)response.StatusCode, problem.Status);
        Assert.StartsWith("urn:mesh:problem:", problem.Type, StringComparison.Ordinal);
        return problem;
    }
}

internal sealed class ProblemReceived(Problem problem) : Exception($"{problem.Status} {problem.Type}: {problem.Detail}")
{
    public Problem Problem { get; } = problem;
}

/// <summary>An open poll, read frame by frame.</summary>
internal sealed class TestPoll(HttpResponseMessage response, Stream stream) : IDisposable
{
    /// <summary>The map so far.</summary>
    public TestMap Map { get; private set; } = new();

    /// <summary>The next frame, applied to the map; null at the end.</summary>
    public async Task<MapFrame?> NextAsync()
    {
        var frame = await ReadAsync();
        if (frame is not null) Map.Apply(frame);
        return frame;
    }

    /// <summary>The next frame, for the caller to apply; null at the end.</summary>
    public async Task<MapFrame?> ReadAsync()
    {
        byte[] length = new byte[4];
        int read = await stream.ReadAtLeastAsync(length, 4, throwOnEndOfStream: false);
        if (read == 0) return null;
        Assert.Equal(4, read);
        byte[] bytes = new byte[BinaryPrimitives.ReadUInt32BigEndian(length)];
        await stream.ReadExactlyAsync(bytes);
        return MapFrame.Parser.ParseFrom(bytes);
    }

    /// <summary>Reads until the map is as wanted.</summary>
    public async Task UntilAsync(Func<TestMap, bool> wanted)
    {
        while (!wanted(Map)) Assert.NotNull(await NextAsync());
    }

    /// <summary>Goes on from another poll's map.</summary>
    public TestPoll From(TestMap map)
    {
        Map = map;
        return this;
    }

    public void Dispose()
    {
        stream.Dispose();
        response.Dispose();
    }
}

/// <summary>What a node knows of its network: frames applied as node_api.proto says.</summary>
internal sealed class TestMap
{
    public Self? Self { get; private set; }

    public Dictionary<ulong, Peer> Peers { get; } = [];

    public PacketFilter Filter { get; private set; } = new();

    public ByteString Token { get; private set; } = ByteString.Empty;

    public ulong Position { get; private set; }

    public bool WasReset { get; private set; }

    public void Apply(MapFrame frame)
    {
        switch (frame.FrameCase)
        {
            case MapFrame.FrameOneofCase.Snapshot:
                var snapshot = frame.Snapshot;
                Peers.Clear();
                foreach (var peer in snapshot.Peers) Peers.Add(peer.NodeId, peer);
                (Self, Filter, Token, Position, WasReset) = (snapshot.Self, snapshot.Filter, snapshot.ResumeToken, snapshot.Head.Position, snapshot.Reset);
                break;
            case MapFrame.FrameOneofCase.Delta:
                var delta = frame.Delta;
                foreach (var peer in delta.Upserts) Peers[peer.NodeId] = peer;
                foreach (ulong id in delta.Removals) Assert.True(Peers.Remove(id), "a removal of a peer that was not in view");
                foreach (var presence in delta.Presences) Peers[presence.NodeId].Presence = presence;
                Self = delta.Self ?? Self;
                Filter = delta.Filter ?? Filter;
                (Token, Position) = (delta.ResumeToken, delta.Head.Position);
                break;
        }
    }

    /// <summary>Everything a node acts on, as text that compares.</summary>
    public string Picture() => string.Join('\n', Peers.Values.OrderBy(p => p.NodeId).Select(p => p.ToString()).Prepend(Filter.ToString()).Prepend(Self?.ToString() ?? ""));
}
