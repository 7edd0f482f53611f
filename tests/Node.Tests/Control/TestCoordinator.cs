using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Mesh.Protocol;
using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Tests.Control;

/// <summary>
/// A server with a coordinator's trust chain and real TLS on loopback, whose answers the test writes. It notes what the
/// client showed of itself.
/// </summary>
internal sealed class TestCoordinator : IAsyncDisposable
{
    private readonly ECDsa _rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _logKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root;
    private readonly X509Certificate2 _issuer;
    private readonly byte[] _logCertificate;
    private WebApplication? _app;

    public TestCoordinator(TimeSpan leafStarts = default)
    {
        var now = DateTimeOffset.UtcNow;
        var root = new CertificateRequest("CN=root", _rootKey, HashAlgorithmName.SHA256);
        root.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 1, true));
        _root = root.CreateSelfSigned(now.AddYears(-1), now.AddYears(10));
        var byRoot = X509SignatureGenerator.CreateForECDsa(_rootKey);
        var issuer = new CertificateRequest("CN=issuer", _issuerKey, HashAlgorithmName.SHA256);
        issuer.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        _issuer = issuer.Create(_root.SubjectName, byRoot, now.AddDays(-30), now.AddDays(300), [1]);
        var log = new CertificateRequest("CN=log", _logKey, HashAlgorithmName.SHA256);
        log.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(CoordinatorTrust.LogKeyUsageOid)], true));
        using var logCertificate = log.Create(_root.SubjectName, byRoot, now.AddDays(-1), now.AddDays(300), [2]);
        _logCertificate = logCertificate.RawData;
        LeafFrom = now + leafStarts - TimeSpan.FromHours(1);
    }

    public DateTimeOffset LeafFrom { get; }

    public byte[] NetworkId { get; init; } = RandomNumberGenerator.GetBytes(ControlLimits.NetworkIdBytes);

    public byte[] Pin => CoordinatorTrust.PinOf(_root);

    /// <summary>This root's word that another will follow it.</summary>
    public NextRoot Next(byte[] pin) => NextRoots.Sign(_rootKey, pin);

    public int Port { get; private set; }

    public JoinLink Link(string? key = null) => new("127.0.0.1", Port, Pin, "default", key);

    /// <summary>Client certificates that were shown in handshakes; null for a handshake without one.</summary>
    public ConcurrentQueue<byte[]?> Shown { get; } = new();

    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>Answers to every path; the map's is written with <see cref="WriteFrameAsync"/>.</summary>
    public Func<HttpContext, byte[], Task> Handler { get; set; } = (context, _) =>
    {
        context.Response.StatusCode = 404;
        return Task.CompletedTask;
    };

    public async Task StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
            kestrel.Listen(IPAddress.Loopback, port, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(Tls()) });
            }));
        _app = builder.Build();
        _app.Run(async context =>
        {
            Requests.Enqueue(context.Request.Path);
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            await Handler(context, body.ToArray());
        });
        await _app.StartAsync();
        Port = new Uri(_app.Urls.First()).Port;
    }

    public async Task StopAsync()
    {
        if (_app is null) return;
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (IDisposable part in (IDisposable[])[_rootKey, _issuerKey, _logKey, _root, _issuer]) part.Dispose();
    }

    public LogHead Head(ulong position, byte salt = 0)
    {
        byte[] hash = SHA256.HashData([.. BitConverter.GetBytes(position), salt]);
        byte[] canonical = new byte[LogHeads.CanonicalBytes];
        LogHeads.WriteCanonical(NetworkId, position, hash, canonical);
        return new LogHead
        {
            Position = position,
            Hash = ByteString.CopyFrom(hash),
            Signature = ByteString.CopyFrom(_logKey.SignData(canonical, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation)),
            LogKeyCertificate = ByteString.CopyFrom(_logCertificate),
        };
    }

    public static async Task AnswerAsync(HttpContext context, IMessage message)
    {
        context.Response.ContentType = NodeApi.MessageContentType;
        await context.Response.Body.WriteAsync(message.ToByteArray());
    }

    public static async Task RefuseAsync(HttpContext context, int status, string type)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = NodeApi.ProblemContentType;
        await context.Response.WriteAsync($$"""{"type":"{{type}}","title":"no","detail":"for a reason"}""");
    }

    public static async Task WriteFrameAsync(HttpContext context, MapFrame frame)
    {
        byte[] body = frame.ToByteArray();
        byte[] length = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(length, (uint)body.Length);
        await context.Response.Body.WriteAsync(length);
        await context.Response.Body.WriteAsync(body);
        await context.Response.Body.FlushAsync();
    }

    private SslServerAuthenticationOptions Tls()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=leaf", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], false));
        request.CertificateExtensions.Add(CoordinatorTrust.ChainExtension(_issuer, _root));
        var leaf = request
            .Create(_issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(_issuerKey), LeafFrom, LeafFrom.AddDays(1), [3])
            .CopyWithPrivateKey(key);
        return new SslServerAuthenticationOptions
        {
            ServerCertificate = leaf,
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = [SslApplicationProtocol.Http2],
            ClientCertificateRequired = true,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            RemoteCertificateValidationCallback = (_, certificate, _, _) => Note(certificate),
        };
    }

    // Greedy: takes whatever it is shown, and goes on without.
    private bool Note(X509Certificate? certificate)
    {
        Shown.Enqueue(certificate?.GetRawCertData());
        return !Shown.IsEmpty;
    }
}
