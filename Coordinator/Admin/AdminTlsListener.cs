using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Trust;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// The admin API over the network: TLS 1.3 with the certificates that nodes see, so the same pin. Clients show no certificate;
/// <see cref="AdminGate"/> asks for a token.
/// </summary>
internal static class AdminTlsListener
{
    private const int MaxConnections = 1024;
    private const int HeaderBytes = 8 * 1024;
    private const int HeaderCount = 32;
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    public static void Configure(KestrelServerOptions kestrel, IPEndPoint endPoint, CoordinatorKeys keys, AddressRateLimiter handshakes)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = AdminListener.BodyBytes;
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
        kestrel.Limits.MaxRequestHeadersTotalSize = HeaderBytes;
        kestrel.Limits.MaxRequestHeaderCount = HeaderCount;
        kestrel.Limits.RequestHeadersTimeout = HandshakeTimeout;
        kestrel.Listen(endPoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.Use(next => connection => NodeListener.RefuseTooMany(connection, handshakes, next));
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = HandshakeTimeout,
                OnConnection = _ => ValueTask.FromResult(Authentication(keys)),
            });
        });
    }

    private static SslServerAuthenticationOptions Authentication(CoordinatorKeys keys) => new()
    {
        ServerCertificateContext = keys.ServerCertificate(),
        EnabledSslProtocols = SslProtocols.Tls13,
        ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        ClientCertificateRequired = false,
        AllowRenegotiation = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
    };
}
