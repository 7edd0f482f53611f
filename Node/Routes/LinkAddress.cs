using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mesh.Node.Routes;

/// <summary>An address of a network interface.</summary>
/// <param name="LinkIndex">The interface's number.</param>
/// <param name="Address">The local address.</param>
/// <param name="PrefixLength">The length of the on-link prefix in bits.</param>
/// <param name="IsUsable">False while duplicate address detection runs, after it failed, and when deprecated.</param>
public sealed record LinkAddress(int LinkIndex, IPAddress Address, int PrefixLength, bool IsUsable)
{
    internal const uint NoDuplicateDetection = 0x02;
    private const uint DuplicateFound = 0x08;
    private const uint Deprecated = 0x20;
    private const uint Tentative = 0x40;

    /// <summary>True for 169.254.0.0/16 and fe80::/10.</summary>
    public bool IsLinkLocal => Address.AddressFamily == AddressFamily.InterNetworkV6
        ? Address.IsIPv6LinkLocal
        : Address.GetAddressBytes() is [169, 254, ..];

    /// <summary>Reads RTM_NEWADDR; null for anything else.</summary>
    internal static LinkAddress? Parse(NetlinkType type, ReadOnlySpan<byte> payload)
    {
        if (type != NetlinkType.NewAddress || payload.Length < Unsafe.SizeOf<AddressHeader>())
            return null;
        AddressHeader header = MemoryMarshal.Read<AddressHeader>(payload);
        uint flags = header.Flags;
        IPAddress? address = null, local = null;
        var reader = new NetlinkAttributeReader(payload[Unsafe.SizeOf<AddressHeader>()..]);
        while (reader.MoveNext())
        {
            switch (reader.Type)
            {
                case NetlinkAttributes.AddressAddress:
                    address = reader.Address;
                    break;
                case NetlinkAttributes.AddressLocal:
                    local = reader.Address;
                    break;
                case NetlinkAttributes.AddressFlags:
                    flags = reader.UInt32;
                    break;
            }
        }
        // On a point-to-point link, ADDRESS is the far end and LOCAL ours.
        bool usable = (flags & (DuplicateFound | Deprecated | Tentative)) == 0;
        return (local ?? address) is { } own ? new LinkAddress(header.Index, own, header.PrefixLength, usable) : null;
    }
}
