using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Mesh.Protocol;

namespace Mesh.Coordinator.Hosting;

/// <summary>Makes join links that lead back here.</summary>
internal sealed class JoinLinks
{
    private readonly string _host;
    private readonly int _port;
    private readonly Func<ReadOnlyMemory<byte>> _pin;

    /// <param name="pin">The pin at the time; it changes with the root.</param>
    /// <param name="publicHost">HOST:PORT, checked before; null for the address that is listened on.</param>
    public JoinLinks(Func<ReadOnlyMemory<byte>> pin, string? publicHost, IPEndPoint listen)
    {
        _pin = pin;
        if (publicHost is null || !JoinLink.TrySplitAuthority(publicHost, out _host!, out _port))
            (_host, _port) = (Reachable(listen.Address).ToString(), listen.Port);
    }

    /// <summary>For the admin API: the public host, if there is one, with the admin API's own port.</summary>
    public static JoinLinks ForAdmin(Func<ReadOnlyMemory<byte>> pin, string? publicHost, IPEndPoint listen) =>
        publicHost is not null && JoinLink.TrySplitAuthority(publicHost, out string host, out _)
            ? new JoinLinks(pin, new JoinLink(host, listen.Port, pin(), null, null).Authority, listen)
            : new JoinLinks(pin, null, listen);

    /// <summary>mesh://HOST:PORT/PIN; no secret.</summary>
    public string Address => new JoinLink(_host, _port, _pin(), null, null).CoordinatorAddress;

    /// <summary>The link with its secret, for the one moment it is shown.</summary>
    public string Reveal(string network, string? preAuthKey) => new JoinLink(_host, _port, _pin(), network, preAuthKey).Reveal();

    // Listening on every address names none; the first that others can reach stands in. --public-host says it better.
    private static IPAddress Reachable(IPAddress listen)
    {
        if (!listen.Equals(IPAddress.Any) && !listen.Equals(IPAddress.IPv6Any)) return listen;
        var family = listen.AddressFamily;
        return NetworkInterface.GetAllNetworkInterfaces()
            .Where(i => i.OperationalStatus == OperationalStatus.Up && i.NetworkInterfaceType != NetworkInterfaceType.Loopback)
            .SelectMany(i => i.GetIPProperties().UnicastAddresses.Select(a => a.Address))
            .Where(a => !a.IsIPv6LinkLocal && !IPAddress.IsLoopback(a))
            .OrderBy(a => a.AddressFamily == AddressFamily.InterNetwork ? 0 : 1)
            .FirstOrDefault(a => family == AddressFamily.InterNetworkV6 || a.AddressFamily == family)
            ?? (family == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Loopback : IPAddress.Loopback);
    }
}
