namespace Mesh.Node.Routes;

/// <summary>What has changed in a network namespace.</summary>
[Flags]
public enum NetworkChange
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A link came, went, or changed.</summary>
    Links = 1,

    /// <summary>An address came or went.</summary>
    Addresses = 2,

    /// <summary>A route or a routing rule came or went.</summary>
    Routes = 4,

    /// <summary>All of them; also when the kernel had more to tell than fits its queue.</summary>
    All = Links | Addresses | Routes,
}

/// <summary>
/// Hears of changes to the links, addresses and routes of the network namespace that it was made in. It says what kind
/// of thing has changed, not what: ask <see cref="RouteClient"/>. One thread.
/// </summary>
public sealed class NetworkChanges : IDisposable
{
    // RTMGRP_*: link, IPv4 address, route, rule, IPv6 address, route, rule.
    private const uint Groups = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000;

    private readonly NetlinkSocket _socket = new(Groups);

    /// <summary>Polls readable while changes wait. Owned by this; don't close it.</summary>
    public int PollFd => _socket.Fd;

    /// <summary>Takes in all changes that wait. Never blocks.</summary>
    public NetworkChange Read()
    {
        var change = NetworkChange.None;
        while (true)
        {
            if (!_socket.TryReceive(out ReadOnlySpan<byte> received))
            {
                change = NetworkChange.All;
                continue;
            }
            if (received.IsEmpty)
                return change;
            var reader = new NetlinkReader(received);
            while (reader.MoveNext())
                change |= KindOf(reader.Header.Type);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private static NetworkChange KindOf(NetlinkType type) => type switch
    {
        NetlinkType.NewLink or NetlinkType.DeleteLink => NetworkChange.Links,
        NetlinkType.NewAddress or NetlinkType.DeleteAddress => NetworkChange.Addresses,
        NetlinkType.NewRoute or NetlinkType.DeleteRoute => NetworkChange.Routes,
        NetlinkType.NewRule or NetlinkType.DeleteRule => NetworkChange.Routes,
        _ => NetworkChange.None,
    };
}
