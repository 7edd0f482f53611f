using System.Runtime.CompilerServices;
using Mesh.Node.Offload;
using Mesh.Node.Routes;

namespace Mesh.Node.Kernel;

/// <summary>
/// Holds the native layouts against the 64-bit Linux ABI. A wrong one would corrupt memory or send to a wrong address,
/// so what opens a device or a socket calls this first.
/// </summary>
internal static class LayoutCheck
{
    /// <exception cref="PlatformNotSupportedException">A layout differs: a platform this was not made for.</exception>
    public static void Run()
    {
        Expect<IoVec>(16);
        Expect<VirtioNetHeader>(VirtioNetHeader.Length);
        Expect<MsgHdr>(56);
        Expect<MMsgHdr>(64);
        Expect<CMsgHdr>(16);
        Expect<SockAddrIn>(16);
        Expect<SockAddrIn6>(28);
        Expect<InPktInfo>(12);
        Expect<In6PktInfo>(20);
        Expect<PollFd>(8);
        Expect<TimeVal>(16);
        Expect<InterfaceRequest>(40);
        Expect<SockAddrNetlink>(12);
        Expect<NetlinkHeader>(16);
        Expect<LinkHeader>(16);
        Expect<AddressHeader>(8);
        Expect<RouteHeader>(12);
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("mesh runs on little-endian machines only");
    }

    private static void Expect<T>(int size)
        where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() != size)
        {
            throw new PlatformNotSupportedException(
                $"mesh runs on 64-bit Linux only: {typeof(T).Name} takes {Unsafe.SizeOf<T>()} bytes here, not {size}");
        }
    }
}
