using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mesh.Node.Kernel;

// Layouts of the socket interface on 64-bit Linux. LayoutCheck holds their sizes against the ABI.

/// <summary>struct iovec: a piece of memory that stays where it is.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct IoVec
{
    internal byte* Base;
    internal nuint Length;
}

/// <summary>struct msghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MsgHdr
{
    public void* Name;
    public uint NameLength;
    private readonly uint _pad;
    public IoVec* Iov;
    public nuint IovLength;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
    private readonly uint _pad2;
}

/// <summary>struct mmsghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MMsgHdr
{
    public MsgHdr Header;

    /// <summary>Set by the kernel: bytes received or sent.</summary>
    public uint Length;
    private readonly uint _pad;
}

/// <summary>struct cmsghdr; the data follows, and the next header at a multiple of 8.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CMsgHdr
{
    /// <summary>This header and its data, without padding.</summary>
    public nuint Length;
    public int Level;
    public int Type;

    /// <summary>CMSG_LEN.</summary>
    public static int LengthFor(int data) => 16 + data;

    /// <summary>CMSG_SPACE.</summary>
    public static int SpaceFor(int data) => 16 + ((data + 7) & ~7);
}

/// <summary>struct sockaddr_in; port and address in network order.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SockAddrIn
{
    public ushort Family;
    public ushort Port;
    public uint Address;
    private readonly ulong _zero;
}

/// <summary>struct sockaddr_in6; port and address in network order.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SockAddrIn6
{
    public ushort Family;
    public ushort Port;
    public uint FlowInfo;
    public Bytes16 Address;
    public uint ScopeId;
}

/// <summary>struct in_pktinfo; addresses in network order.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct InPktInfo
{
    public int InterfaceIndex;

    /// <summary>Received: the local address that an answer should leave from. Sent: the source address.</summary>
    public uint SpecificDestination;
    public uint Address;
}

/// <summary>struct in6_pktinfo.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct In6PktInfo
{
    public Bytes16 Address;
    public uint InterfaceIndex;
}

/// <summary>16 bytes aligned to one: the ABI's in6_addr must not raise the alignment of its struct to 8.</summary>
[InlineArray(16)]
internal struct Bytes16
{
    private byte _element;
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Fd;
    public short Events;
    public short Returned;
}

/// <summary>struct timeval on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeVal
{
    public long Seconds;
    public long Microseconds;
}
