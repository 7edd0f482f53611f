using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Faults;

/// <summary>
/// A TLS server that answers at the coordinator's address, asks every client for its certificate, and remembers what it was shown.
/// </summary>
internal sealed class Impostor : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _listener;
    private readonly X509Certificate2 _certificate;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _serving;
    private int _connections;
    private int _handshakes;
    private int _certificatesSeen;
    private long _bytesSeen;

    /// <param name="host">Where it listens.</param>
    /// <param name="endpoint">The address and port that the join link names.</param>
    /// <param name="extensions">What its self-signed certificate carries, such as the true coordinator's chain.</param>
    public Impostor(NetworkNamespace host, IPEndPoint endpoint, IEnumerable<X509Extension> extensions)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=coordinator", key, HashAlgorithmName.SHA256);
        foreach (var extension in extensions)
            request.CertificateExtensions.Add(extension);
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(23));
        _listener = host.Inside(() =>
        {
            var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(endpoint);
            socket.Listen();
            return socket;
        });
        _serving = ServeAsync();
    }

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Handshakes that the client went through to its end, as TLS 1.3 lets a server see it.</summary>
    public int Handshakes => Volatile.Read(ref _handshakes);

    public int CertificatesSeen => Volatile.Read(ref _certificatesSeen);

    /// <summary>Bytes of requests, after the handshake.</summary>
    public long BytesSeen => Interlocked.Read(ref _bytesSeen);

    /// <summary>The certificate that the server at an address shows to a client without a certificate of its own.</summary>
    public static async Task<X509Certificate2> ObserveAsync(NetworkNamespace from, IPEndPoint server)
    {
        using var limit = new CancellationTokenSource(Patience);
        using var socket = from.Inside(() => new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        await socket.ConnectAsync(server, limit.Token);
        X509Certificate2? seen = null;
        await using var tls = new SslStream(new NetworkStream(socket));
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = "coordinator",
                    EnabledSslProtocols = SslProtocols.Tls13,
#pragma warning disable CA5359 // Looks only, and sends nothing.
                    RemoteCertificateValidationCallback = (_, certificate, _, _) =>
#pragma warning restore CA5359
                    {
                        seen = X509CertificateLoader.LoadCertificate(certificate!.GetRawCertData());
                        return true;
                    },
                },
                limit.Token);
        }
        catch (Exception e) when (seen is not null && e is AuthenticationException or IOException)
        {
            // A server that wants a certificate hangs up on us; it has shown its own by then.
        }

        return seen ?? throw new InvalidOperationException("The server showed no certificate");
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _serving;
        _listener.Dispose();
        _certificate.Dispose();
        _end.Dispose();
    }

    private async Task ServeAsync()
    {
        var clients = new List<Task>();
        try
        {
            while (true)
                clients.Add(AnswerAsync(await _listener.AcceptAsync(_end.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(clients);
        }
    }

    private async Task AnswerAsync(Socket client)
    {
        Interlocked.Increment(ref _connections);
        await using var tls = new SslStream(new NetworkStream(client, ownsSocket: true));
        try
        {
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions
                {
                    ServerCertificate = _certificate,
                    ClientCertificateRequired = true,
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
#pragma warning disable CA5359 // Takes anything, to hear more.
                    RemoteCertificateValidationCallback = (_, certificate, _, _) =>
#pragma warning restore CA5359
                    {
                        if (certificate is not null)
                            Interlocked.Increment(ref _certificatesSeen);
                        return true;
                    },
                },
                _end.Token);
            Interlocked.Increment(ref _handshakes);
            var buffer = new byte[4096];
            while (await tls.ReadAsync(buffer, _end.Token) is var count and > 0)
                Interlocked.Add(ref _bytesSeen, count);
        }
        catch (Exception e) when (e is AuthenticationException or IOException or OperationCanceledException)
        {
            // The client hung up, as it should.
        }
    }
}
