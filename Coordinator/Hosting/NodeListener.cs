using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Trust;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// The listener that nodes reach: HTTP/2 only, TLS 1.3 only, a client certificate with an ECDSA P-256 key always. Whoever
/// reaches the code behind it has proven to hold the key of <see cref="MachineFeature"/>.
/// </summary>
internal static class NodeListener
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    public static void Configure(KestrelServerOptions kestrel, ServeOptions options, CoordinatorKeys keys, AddressRateLimiter handshakes)
    {
        kestrel.AddServerHeader = false;
        ServerLimits.Apply(kestrel.Limits, options);
        kestrel.Listen(options.Listen, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next => connection => RefuseTooMany(connection, handshakes, next));
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = HandshakeTimeout,
                OnConnection = handshake => ValueTask.FromResult(Authentication(keys, handshake.Connection)),
            });
            listen.Use(next => connection => Identify(connection, keys, next));
        });
    }

    private static SslServerAuthenticationOptions Authentication(CoordinatorKeys keys, BaseConnectionContext connection) => new()
    {
        ServerCertificateContext = Served(keys, connection),
        EnabledSslProtocols = SslProtocols.Tls13,
        ApplicationProtocols = [SslApplicationProtocol.Http2],
        ClientCertificateRequired = true,
        AllowRenegotiation = false,
        // A resumed session would carry its first certificate on; every connection proves the machine key afresh.
        AllowTlsResume = false,
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        // The chain is built before the callback is asked. Without this a stranger's certificate could make us fetch the
        // addresses that it names.
        CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationFlags = X509VerificationFlags.AllFlags,
        },
        RemoteCertificateValidationCallback = (_, certificate, _, _) => MachineCertificate.TryReadKey(certificate) is not null,
    };

    private static SslStreamCertificateContext Served(CoordinatorKeys keys, BaseConnectionContext connection)
    {
        var (certificate, root) = keys.Serve();
        connection.Features.Set(root);
        return certificate;
    }

    // A handshake costs us two signatures; a flood of them is cut off before it costs any.
    internal static Task RefuseTooMany(ConnectionContext connection, AddressRateLimiter handshakes, ConnectionDelegate next)
    {
        if (connection.RemoteEndPoint is System.Net.IPEndPoint remote && !handshakes.TryTake(remote.Address))
        {
            connection.Abort();
            return Task.CompletedTask;
        }
        return next(connection);
    }

    private static Task Identify(ConnectionContext connection, CoordinatorKeys keys, ConnectionDelegate next)
    {
        byte[]? key = MachineCertificate.TryReadKey(connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate);
        if (key is null)
        {
            connection.Abort();
            return Task.CompletedTask;
        }
        connection.Features.Set(new MachineFeature(key, connection.Features.Get<RootIdentity>() ?? keys.Root));
        return next(connection);
    }
}

/// <summary>The machine key that the connection's client has proven to hold.</summary>
/// <param name="SubjectPublicKeyInfo">91 bytes, ECDSA P-256.</param>
/// <param name="Root">The root that the connection was opened under.</param>
internal sealed record MachineFeature(byte[] SubjectPublicKeyInfo, RootIdentity Root)
{
    /// <summary>SHA-256 of it, as the network knows machines by.</summary>
    public Bytes32 Id { get; } = Bytes32.Sha256Of(SubjectPublicKeyInfo);
}
