using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mesh.Node.Routes;

/// <summary>A network interface as the kernel describes it.</summary>
/// <param name="Index">Its number in its network namespace.</param>
/// <param name="Name">Its name.</param>
/// <param name="Mtu">Its MTU in bytes.</param>
/// <param name="IsUp">True when an administrator has set it up.</param>
/// <param name="IsLoopback">True for the loopback interface.</param>
/// <param name="HasCarrier">For a TUN interface: true while a process holds it.</param>
/// <param name="Kind">The driver's name for virtual links ("tun", "veth"), or null.</param>
/// <param name="TunQueues">For a TUN interface made for several queues: how many of them are held open; else null.</param>
public sealed record Link(
    int Index, string Name, int Mtu, bool IsUp, bool IsLoopback, bool HasCarrier, string? Kind, int? TunQueues = null)
{
    /// <summary>Reads RTM_NEWLINK or RTM_DELLINK; null for anything else.</summary>
    internal static Link? Parse(NetlinkType type, ReadOnlySpan<byte> payload)
    {
        if (type is not (NetlinkType.NewLink or NetlinkType.DeleteLink) || payload.Length < Unsafe.SizeOf<LinkHeader>())
            return null;
        LinkHeader header = MemoryMarshal.Read<LinkHeader>(payload);
        string name = "";
        int mtu = 0;
        bool carrier = false;
        string? kind = null;
        int? tunQueues = null;
        var reader = new NetlinkAttributeReader(payload[Unsafe.SizeOf<LinkHeader>()..]);
        while (reader.MoveNext())
        {
            switch (reader.Type)
            {
                case NetlinkAttributes.LinkName:
                    name = reader.Text;
                    break;
                case NetlinkAttributes.LinkMtu:
                    mtu = (int)reader.UInt32;
                    break;
                case NetlinkAttributes.LinkCarrier:
                    carrier = reader.Byte != 0;
                    break;
                case NetlinkAttributes.LinkInfo:
                    (kind, tunQueues) = ParseInfo(reader.Value);
                    break;
            }
        }
        return new Link(
            header.Index, name, mtu, (header.Flags & LinkFlags.Up) != 0, (header.Flags & LinkFlags.Loopback) != 0,
            carrier, kind, tunQueues);
    }

    private static (string? Kind, int? TunQueues) ParseInfo(ReadOnlySpan<byte> info)
    {
        string? kind = null;
        int? queues = null;
        var reader = new NetlinkAttributeReader(info);
        while (reader.MoveNext())
        {
            if (reader.Type == NetlinkAttributes.LinkInfoKind)
                kind = reader.Text;
            else if (reader.Type == NetlinkAttributes.LinkInfoData && kind == "tun")
                queues = ParseQueues(reader.Value);
        }
        return (kind, queues);
    }

    private static int? ParseQueues(ReadOnlySpan<byte> data)
    {
        var reader = new NetlinkAttributeReader(data);
        while (reader.MoveNext())
        {
            if (reader.Type == NetlinkAttributes.TunQueues)
                return (int)reader.UInt32;
        }
        return null;
    }
}
