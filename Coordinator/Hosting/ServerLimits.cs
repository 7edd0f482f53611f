using Mesh.Protocol.Control;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Mesh.Coordinator.Hosting;

/// <summary>What the node listener grants one connection and all of them together, beside the bounds of <see cref="ControlLimits"/>.</summary>
internal static class ServerLimits
{
    /// <summary>A poll, and what a node asks beside it.</summary>
    public const int StreamsPerConnection = 16;

    /// <summary>A vanished node is noticed after the delay and the timeout together, when TCP says nothing.</summary>
    public static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(20);

    private const int HeaderBytes = 8 * 1024;
    private const int HeaderCount = 32;
    private const int WindowBytes = 128 * 1024;
    private static readonly TimeSpan IdleConnection = TimeSpan.FromSeconds(130);
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);

    public static void Apply(KestrelServerLimits limits, ServeOptions options)
    {
        limits.MaxConcurrentConnections = options.MaxConnections;
        limits.MaxRequestBodySize = ControlLimits.RequestBodyBytes;
        limits.MaxRequestHeadersTotalSize = HeaderBytes;
        limits.MaxRequestHeaderCount = HeaderCount;
        limits.RequestHeadersTimeout = HeadersTimeout;
        limits.KeepAliveTimeout = IdleConnection;
        // A poll's reader may be slow; its own bound is ControlLimits.StalledPollBytes and PollSilence. HTTP/2 knows this
        // setting for the whole listener only.
        limits.MinResponseDataRate = null;
        limits.MaxResponseBufferSize = ControlLimits.StalledPollBytes;
        limits.Http2.MaxStreamsPerConnection = StreamsPerConnection;
        limits.Http2.MaxRequestHeaderFieldSize = HeaderBytes;
        limits.Http2.InitialStreamWindowSize = WindowBytes;
        limits.Http2.InitialConnectionWindowSize = WindowBytes;
        limits.Http2.KeepAlivePingDelay = PingDelay;
        limits.Http2.KeepAlivePingTimeout = PingTimeout;
    }
}
