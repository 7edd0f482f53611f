using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;

namespace Mesh.Node.Udp;

/// <summary>Opens the transport's sockets: for each of its queues one for IPv4 and one for IPv6, all on one port.</summary>
internal static unsafe class UdpSockets
{
    private const int SolSocket = 1;
    private const int SoSndBuf = 7;
    private const int SoRcvBuf = 8;
    private const int SoReusePort = 15;
    private const int SoSndTimeo = 21;
    private const int SoSndBufForce = 32;
    private const int SoRcvBufForce = 33;
    private const int SoMark = 36;
    private const int IpRecvTos = 13;
    private const int IPv6V6Only = 26;
    private const int IPv6RecvTClass = 66;
    private const int IPv6RecvPktInfo = 49;

    // What wireguard-go uses: over 40 ms at 1 Gbit/s. Beyond net.core.*mem_max only with CAP_NET_ADMIN.
    private const int BufferBytes = 7 << 20;

    // A sender waits for room this long at most before it drops: backpressure, but never a stuck thread.
    private const int SendTimeoutMicroseconds = 100_000;

    // Two families must agree on a free port; on a host with most of its ports taken it can take a few draws.
    private const int PortAttempts = 64;

    /// <summary>Opens the sockets on the port, or on one that is free in both families if it is 0.</summary>
    /// <returns>The descriptors of each queue, -1 for a family the kernel lacks (never both), and the port.</returns>
    /// <exception cref="UdpException">The port is taken, needs rights, or no family is there.</exception>
    public static ((int Fd4, int Fd6)[] Pairs, int Port) Open(int port, uint mark, int queues, ref OffloadSet offloads)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)port, ushort.MaxValue);
        var pairs = new (int Fd4, int Fd6)[queues];
        for (int attempt = 1; ; attempt++)
        {
            Array.Fill(pairs, (-1, -1));
            try
            {
                return (pairs, OpenAll(pairs, port, mark, ref offloads));
            }
            catch (UdpException e)
            {
                foreach ((int fd4, int fd6) in pairs)
                {
                    Close(fd4);
                    Close(fd6);
                }
                if (port != 0 || !e.IsPortInUse || attempt == PortAttempts)
                    throw;
            }
        }
    }

    /// <summary>Closes a descriptor; -1 is none.</summary>
    public static void Close(int fd)
    {
        if (fd >= 0)
            _ = Libc.close(fd);
    }

    /// <summary>Sets the mark of what a socket sends.</summary>
    public static void SetMark(int fd, uint mark)
    {
        if (!Libc.SetOption(fd, SolSocket, SoMark, (int)mark))
        {
            throw new UdpException($"set the firewall mark 0x{mark:x}", Marshal.GetLastPInvokeError(),
                "It needs root or CAP_NET_ADMIN");
        }
    }

    /// <summary>
    /// The first pair is bound as if it were the only one, so that a port that anybody holds is refused; only then it is made to
    /// share with the others, among which the kernel distributes. Who asks to share too, as the same user, can join them.
    /// </summary>
    private static int OpenAll((int Fd4, int Fd6)[] pairs, int port, uint mark, ref OffloadSet offloads)
    {
        int fd4 = pairs[0].Fd4 = OpenOne(Libc.AF_INET, port, mark, shares: false, ref offloads);
        int bound = fd4 >= 0 ? BoundPort(fd4) : port;
        int fd6 = pairs[0].Fd6 = OpenOne(Libc.AF_INET6, bound, mark, shares: false, ref offloads);
        if (fd4 < 0 && fd6 < 0)
            throw new UdpException("open a UDP socket", Errno.EAFNOSUPPORT, "This kernel has no IP");
        bound = fd4 >= 0 ? bound : BoundPort(fd6);
        if (pairs.Length == 1)
            return bound;
        if (fd4 >= 0)
            Share(fd4);
        if (fd6 >= 0)
            Share(fd6);
        foreach (ref (int Fd4, int Fd6) pair in pairs.AsSpan(1))
        {
            if (fd4 >= 0)
                pair.Fd4 = OpenOne(Libc.AF_INET, bound, mark, shares: true, ref offloads);
            if (fd6 >= 0)
                pair.Fd6 = OpenOne(Libc.AF_INET6, bound, mark, shares: true, ref offloads);
        }
        return bound;
    }

    private static void Share(int fd)
    {
        if (!Libc.SetOption(fd, SolSocket, SoReusePort, 1))
            throw new UdpException("share a UDP port among sockets", Marshal.GetLastPInvokeError());
    }

    private static int OpenOne(int family, int port, uint mark, bool shares, ref OffloadSet offloads)
    {
        string name = family == Libc.AF_INET ? "IPv4" : "IPv6";
        // Blocking, so that a sender gets backpressure; receives ask for MSG_DONTWAIT each time.
        int fd = Libc.socket(family, Libc.SOCK_DGRAM | Libc.SOCK_CLOEXEC, 0);
        if (fd < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            return errno == Errno.EAFNOSUPPORT ? -1 : throw new UdpException($"open an {name} UDP socket", errno);
        }
        try
        {
            Prepare(fd, family, name, mark);
            if (shares)
                Share(fd);
            if (Bind(fd, family, port))
            {
                offloads = Agree(fd, offloads);
                return fd;
            }
            int errno = Marshal.GetLastPInvokeError();
            if (family == Libc.AF_INET6 && errno is Errno.EADDRNOTAVAIL or Errno.EAFNOSUPPORT)
            {
                _ = Libc.close(fd);
                return -1;
            }
            throw new UdpException($"listen on {name} UDP port {port}", errno, errno switch
            {
                Errno.EADDRINUSE => "Another program holds the port: stop it, or choose another port",
                Errno.EACCES => "Ports below 1024 need root or CAP_NET_BIND_SERVICE",
                _ => null,
            });
        }
        catch
        {
            _ = Libc.close(fd);
            throw;
        }
    }

    // The path MTU behaviour is left at the system's default, as WireGuard's other user-space devices do: datagrams
    // go out with "don't fragment" up to the known path MTU, and larger ones are fragmented here.
    private static void Prepare(int fd, int family, string name, uint mark)
    {
        SetBuffer(fd, SoRcvBuf, SoRcvBufForce);
        SetBuffer(fd, SoSndBuf, SoSndBufForce);
        var timeout = new TimeVal { Microseconds = SendTimeoutMicroseconds };
        bool set = Libc.setsockopt(fd, SolSocket, SoSndTimeo, &timeout, (uint)sizeof(TimeVal)) == 0;
        set = set && (family == Libc.AF_INET
            ? Libc.SetOption(fd, SocketAddress.IpProtoIp, SocketAddress.IpPktInfo, 1)
            : Libc.SetOption(fd, SocketAddress.IpProtoIPv6, IPv6V6Only, 1)
                && Libc.SetOption(fd, SocketAddress.IpProtoIPv6, IPv6RecvPktInfo, 1));
        // Without it, marks on the way to us are not seen: they stay on the outer headers.
        _ = family == Libc.AF_INET
            ? Libc.SetOption(fd, SocketAddress.IpProtoIp, IpRecvTos, 1)
            : Libc.SetOption(fd, SocketAddress.IpProtoIPv6, IPv6RecvTClass, 1);
        if (!set)
            throw new UdpException($"prepare an {name} UDP socket", Marshal.GetLastPInvokeError());
        if (mark != 0)
            SetMark(fd, mark);
    }

    /// <summary>Switches on what the kernel has of the wished.</summary>
    private static OffloadSet Agree(int fd, OffloadSet offloads)
    {
        int value;
        uint length = sizeof(int);
        if (Libc.getsockopt(fd, SocketAddress.SolUdp, SocketAddress.UdpSegment, &value, &length) != 0)
            offloads &= ~OffloadSet.UdpGso;
        if (offloads.HasFlag(OffloadSet.UdpGro) && !Libc.SetOption(fd, SocketAddress.SolUdp, SocketAddress.UdpGro, 1))
            offloads &= ~OffloadSet.UdpGro;
        return offloads;
    }

    private static void SetBuffer(int fd, int option, int forceOption)
    {
        // Failure costs throughput on fast links, nothing else.
        if (!Libc.SetOption(fd, SolSocket, forceOption, BufferBytes))
            _ = Libc.SetOption(fd, SolSocket, option, BufferBytes);
    }

    private static bool Bind(int fd, int family, int port)
    {
        ushort networkPort = BinaryPrimitives.ReverseEndianness((ushort)port);
        if (family == Libc.AF_INET)
        {
            var address = new SockAddrIn { Family = Libc.AF_INET, Port = networkPort };
            return Libc.bind(fd, &address, (uint)sizeof(SockAddrIn)) == 0;
        }
        var address6 = new SockAddrIn6 { Family = Libc.AF_INET6, Port = networkPort };
        return Libc.bind(fd, &address6, (uint)sizeof(SockAddrIn6)) == 0;
    }

    private static int BoundPort(int fd)
    {
        SockAddrIn6 address = default;
        uint length = (uint)sizeof(SockAddrIn6);
        if (Libc.getsockname(fd, &address, &length) != 0)
            throw new UdpException("read a UDP socket's port", Marshal.GetLastPInvokeError());
        return BinaryPrimitives.ReverseEndianness(address.Port);
    }
}
