using System.Security.Cryptography;
using System.Text;
using Mesh.Node.Cli;
using Mesh.Node.LocalApi;
using Mesh.Node.State;
using Mesh.Node.Udp;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Node.Daemon;

/// <summary>What <c>mesh up</c> asks for, checked, with what was joined before filled in.</summary>
internal sealed record JoinWish(JoinLink Link, string Hostname, IReadOnlyList<UdpEndpoint> Endpoints, int Mtu, bool NeedsRegistration)
{
    /// <exception cref="UserException">Something in the request makes no sense, or contradicts what was joined.</exception>
    /// <param name="lapsed">The machine has lost its membership: without a link, it asks to be approved.</param>
    public static JoinWish From(UpRequest request, JoinInfo? joined, bool lapsed)
    {
        var link = request.Link is null ? null : Parse(request.Link);
        if (link is null && joined is null)
            throw new UserException(ExitCode.NotUp, "this machine is in no network yet", "Join one with a link: mesh up LINK, or mesh up - to read it from standard input.");
        // The same network behind another address is a coordinator that moved.
        if (link is not null && joined is not null && (link.Network != joined.Network || !IsSamePin(link, joined)))
            throw new UserException(ExitCode.Failed, $"this machine is in network {joined.Network} of {joined.Host}, and can be in one only",
                "Leave that one first: mesh logout");
        string hostname = CheckHostname(request.Hostname) ?? joined?.Hostname ?? Environment.MachineName;
        int mtu = request.Mtu ?? joined?.Mtu ?? JoinInfo.DefaultMtu;
        if (mtu is < JoinInfo.MinMtu or > JoinInfo.MaxMtu)
            throw new UserException(ExitCode.Usage, $"an MTU of {mtu} is out of range", $"Choose one from {JoinInfo.MinMtu} to {JoinInfo.MaxMtu}.");
        var endpoints = request.Endpoints is null ? joined?.StaticEndpoints ?? [] : [.. request.Endpoints.Select(ParseEndpoint)];
        if (endpoints.Count > ControlLimits.EndpointsPerNode / 2)
            throw new UserException(ExitCode.Usage, $"more than {ControlLimits.EndpointsPerNode / 2} endpoints", "Give only those that peers should try.");
        return new JoinWish(link ?? joined!.Link, hostname, endpoints, mtu, link is not null || lapsed || hostname != joined!.Hostname);
    }

    /// <summary>For a wish that needs no registration.</summary>
    public JoinInfo Apply(JoinInfo joined) => joined with { StaticEndpoints = Endpoints, Mtu = Mtu, WantUp = true };

    private static JoinLink Parse(string text)
    {
        if (!JoinLink.TryParse(text, out var link, out string? error))
            throw new UserException(ExitCode.Usage, $"this is no join link: {error}", "Copy the whole line that mesh-coordinator keys create printed.");
        if (link.Network is null)
            throw new UserException(ExitCode.Usage, "the join link names no network: it is a coordinator's address",
                "Copy the whole line that mesh-coordinator keys create printed.");
        return link;
    }

    private static string? CheckHostname(string? name)
    {
        if (name is null) return null;
        if (name.Length > 0 && Encoding.UTF8.GetByteCount(name) <= ControlLimits.HostnameBytes && !name.Any(char.IsControl)) return name;
        throw new UserException(ExitCode.Usage, $"a host name has 1 to {ControlLimits.HostnameBytes} bytes", "Choose another with --hostname.");
    }

    private static UdpEndpoint ParseEndpoint(string text) =>
        UdpEndpoint.TryParse(text, out var endpoint) && endpoint.Port != 0
            ? endpoint
            : throw new UserException(ExitCode.Usage, $"'{Printable(text)}' is no endpoint", "An endpoint is ADDRESS:PORT, with an IPv6 address in brackets.");

    private static string Printable(string text) => string.Concat(text.Where(c => !char.IsControl(c)).Take(60));

    private static bool IsSamePin(JoinLink link, JoinInfo joined) => CryptographicOperations.FixedTimeEquals(link.Pin.Span, joined.Pin.Span);
}
