using System.Net.Sockets;
using Mesh.Coordinator.Admin;
using Microsoft.AspNetCore.Routing;

namespace Mesh.Coordinator.Tests.Admin;

/// <summary>The admin API of a served coordinator, through its socket.</summary>
internal static class AdminSocket
{
    public static HttpClient Client(ServedCoordinator coordinator) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(coordinator.Server.AdminSocket), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { BaseAddress = new Uri("http://coordinator/") };

    /// <summary>Every endpoint there is, with what it says of itself.</summary>
    public static IReadOnlyList<(string Method, string Path, AdminOperation? Operation)> Endpoints(ServedCoordinator coordinator) =>
    [
        .. coordinator.Server.AdminEndpoints.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>().Select(endpoint => (
            endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0], endpoint.RoutePattern.RawText!,
            endpoint.Metadata.GetMetadata<AdminOperation>())),
    ];
}
