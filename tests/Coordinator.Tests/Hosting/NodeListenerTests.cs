using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Hosting;

public sealed class NodeListenerTests : IAsyncLifetime
{
    private ServedCoordinator _coordinator = null!;

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public ValueTask DisposeAsync() => _coordinator.DisposeAsync();

    [Fact]
    public async Task The_served_leaf_leads_to_the_pin()
    {
        var verdict = TrustVerdict.NotACoordinator;
        using var certificate = TestMachine.SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP256));
        await HandshakeAsync(SslProtocols.Tls13, certificate, SslApplicationProtocol.Http2, leaf =>
            verdict = CoordinatorTrust.Judge(leaf, _coordinator.Server.Keys.Pin.Span, _coordinator.Clock.GetUtcNow(), out _));
        Assert.Equal(TrustVerdict.Trusted, verdict);
    }

    [Fact]
    public async Task A_client_without_a_certificate_gets_nowhere() =>
        Assert.False(await HandshakeAsync(SslProtocols.Tls13, null, SslApplicationProtocol.Http2));

    [Fact]
    public async Task A_client_with_an_RSA_certificate_gets_nowhere()
    {
        using var key = RSA.Create(2048);
        using var certificate = new CertificateRequest("CN=machine", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        Assert.False(await HandshakeAsync(SslProtocols.Tls13, certificate, SslApplicationProtocol.Http2));
    }

    [Fact]
    public async Task A_client_with_a_key_on_another_curve_gets_nowhere()
    {
        using var certificate = TestMachine.SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP384));
        Assert.False(await HandshakeAsync(SslProtocols.Tls13, certificate, SslApplicationProtocol.Http2));
    }

    [Fact]
    public async Task An_older_TLS_gets_nowhere()
    {
        using var certificate = TestMachine.SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP256));
        Assert.False(await HandshakeAsync(SslProtocols.Tls12, certificate, SslApplicationProtocol.Http2));
    }

    [Fact]
    public async Task A_client_of_HTTP_1_gets_nowhere()
    {
        using var certificate = TestMachine.SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP256));
        Assert.False(await HandshakeAsync(SslProtocols.Tls13, certificate, SslApplicationProtocol.Http11));
    }

    [Fact]
    public async Task A_machine_whose_certificate_is_long_over_is_known_by_its_key()
    {
        // Clocks may be wrong before a machine has joined; only the key counts. TestMachine's ended in 1980.
        using var machine = new TestMachine(_coordinator);
        Assert.Equal(16, (await machine.ChallengeAsync()).NetworkId.Length);
    }

    [Fact]
    public async Task Bytes_that_are_no_TLS_end_the_connection_and_are_not_logged()
    {
        int before = _coordinator.Log.Lines.Count;
        for (int i = 0; i < 20; i++)
        {
            using var client = new TcpClient();
            await client.ConnectAsync(_coordinator.EndPoint);
            var stream = client.GetStream();
            await stream.WriteAsync(RandomNumberGenerator.GetBytes(300));
            client.Client.Shutdown(SocketShutdown.Send);
            await ReadToEndAsync(stream);
        }
        Assert.Equal(before, _coordinator.Log.Lines.Count);
    }

    [Fact]
    public async Task Handshakes_of_one_address_are_limited()
    {
        await using var strict = await ServedCoordinator.StartAsync(requestsPerSecond: 2);
        int refused = 0;
        for (int i = 0; i < 12; i++)
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(strict.EndPoint);
                using var ssl = new SslStream(client.GetStream());
                using var certificate = TestMachine.SelfSigned(ECDsa.Create(ECCurve.NamedCurves.nistP256));
                await ssl.AuthenticateAsClientAsync(Options(SslProtocols.Tls13, certificate, SslApplicationProtocol.Http2, null));
            }
            catch (Exception e) when (e is IOException or AuthenticationException or SocketException)
            {
                refused++;
            }
        }
        Assert.Equal(4, refused);
    }

    /// <summary>True when the server still takes what a client says first after the handshake.</summary>
    private async Task<bool> HandshakeAsync(
        SslProtocols protocols, X509Certificate2? certificate, SslApplicationProtocol application, Action<X509Certificate2>? judge = null)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(_coordinator.EndPoint);
        using var ssl = new SslStream(client.GetStream());
        try
        {
            await ssl.AuthenticateAsClientAsync(Options(protocols, certificate, application, judge));
            // In TLS 1.3 a client learns only afterwards that its certificate was refused. The server speaks first: SETTINGS.
            byte[] settings = new byte[9];
            await ssl.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x4\0\0\0\0\0"u8.ToArray());
            return await ssl.ReadAtLeastAsync(settings, settings.Length, throwOnEndOfStream: false) == settings.Length && settings[3] == 4;
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            return false;
        }
    }

    private static SslClientAuthenticationOptions Options(
        SslProtocols protocols, X509Certificate2? certificate, SslApplicationProtocol application, Action<X509Certificate2>? judge) => new()
    {
        TargetHost = "coordinator", EnabledSslProtocols = protocols, ApplicationProtocols = [application],
        ClientCertificates = certificate is null ? null : [certificate],
        LocalCertificateSelectionCallback = certificate is null ? null : (_, _, _, _, _) => certificate,
        // What is tried here is the server's judgement, not the client's.
        RemoteCertificateValidationCallback = (_, leaf, _, _) =>
        {
            judge?.Invoke((X509Certificate2)leaf!);
            return leaf is not null;
        },
    };

    private static async Task ReadToEndAsync(Stream stream)
    {
        byte[] buffer = new byte[1024];
        try
        {
            while (await stream.ReadAsync(buffer) > 0)
            {
            }
        }
        catch (IOException)
        {
            // Reset: an end as good as any.
        }
    }
}
