using System.Runtime.InteropServices;

namespace Mesh.Node.Routes;

// rtnetlink(7). All fields are in host order; addresses inside attributes are in network order.

/// <summary>struct sockaddr_nl.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SockAddrNetlink
{
    public ushort Family;
    private readonly ushort _pad;
    public uint PortId;
    public uint Groups;
}

/// <summary>struct nlmsghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NetlinkHeader
{
    /// <summary>This header and what follows, without padding.</summary>
    public uint Length;
    public NetlinkType Type;
    public NetlinkFlags Flags;
    public uint Sequence;
    public uint PortId;
}

/// <summary>struct ifinfomsg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LinkHeader
{
    public byte Family;
    private readonly byte _pad;
    public ushort DeviceType;
    public int Index;
    public LinkFlags Flags;
    public LinkFlags Change;
}

/// <summary>struct ifaddrmsg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AddressHeader
{
    public byte Family;
    public byte PrefixLength;
    public byte Flags;
    public byte Scope;
    public int Index;
}

/// <summary>struct rtmsg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RouteHeader
{
    public byte Family;
    public byte DestinationLength;
    public byte SourceLength;
    public byte Tos;
    public byte Table;
    public byte Protocol;
    public byte Scope;
    public byte Type;
    public uint Flags;
}

internal enum NetlinkType : ushort
{
    None = 0,
    Error = 2,
    Done = 3,
    NewLink = 16,
    DeleteLink = 17,
    GetLink = 18,
    NewAddress = 20,
    DeleteAddress = 21,
    GetAddress = 22,
    NewRoute = 24,
    DeleteRoute = 25,
    GetRoute = 26,
    NewRule = 32,
    DeleteRule = 33,
}

[Flags]
internal enum NetlinkFlags : ushort
{
    None = 0,
    Request = 1,
    Ack = 4,
    DumpInterrupted = 0x10,
    Dump = 0x300,
    Replace = 0x100,

    /// <summary>In a request for something new: fail if it exists. In an error: attributes follow (ACK_TLVS).</summary>
    Exclusive = 0x200,
    Create = 0x400,
}

/// <summary>IFF_*, as far as used.</summary>
[Flags]
internal enum LinkFlags : uint
{
    None = 0,
    Up = 1,
    Loopback = 8,
    PointToPoint = 0x10,
}

internal static class NetlinkAttributes
{
    public const ushort TypeMask = 0x3fff;

    public const ushort LinkName = 3;
    public const ushort LinkMtu = 4;
    public const ushort LinkInfo = 18;
    public const ushort LinkInfoKind = 1;
    public const ushort LinkInfoData = 2;
    public const ushort TunQueues = 8;
    public const ushort LinkCarrier = 33;

    public const ushort AddressAddress = 1;
    public const ushort AddressLocal = 2;
    public const ushort AddressFlags = 8;

    public const ushort RouteDestination = 1;
    public const ushort RouteSource = 2;
    public const ushort RouteOutputLink = 4;
    public const ushort RoutePriority = 6;
    public const ushort RoutePreferredSource = 7;
    public const ushort RouteTable = 15;
    public const ushort RouteMark = 16;

    public const ushort ErrorText = 1;
}
