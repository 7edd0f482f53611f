using System.Runtime.InteropServices;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;

namespace Mesh.Node.Tun;

/// <summary>A descriptor that is attached to a <see cref="LinuxTunDevice"/>'s interface.</summary>
internal sealed unsafe class LinuxTunQueue(LinuxTunDevice device, int fd, bool hasHeader) : ITunQueue
{
    private int _fd = fd;

    /// <inheritdoc/>
    public int PollFd => _fd;

    /// <inheritdoc/>
    public OffloadSet Offloads => device.Offloads;

    /// <inheritdoc/>
    public int Read(Span<byte> packet, out VirtioNetHeader header)
    {
        header = default;
        IoVec* parts = stackalloc IoVec[2];
        fixed (VirtioNetHeader* head = &header)
        fixed (byte* buffer = packet)
        {
            parts[0] = new IoVec { Base = (byte*)head, Length = VirtioNetHeader.Length };
            parts[1] = new IoVec { Base = buffer, Length = (nuint)packet.Length };
            while (true)
            {
                nint length = hasHeader
                    ? Libc.readv(_fd, parts, 2) - VirtioNetHeader.Length
                    : Libc.read(_fd, buffer, (nuint)packet.Length);
                if (length >= 0)
                    return (int)length;
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Errno.EAGAIN)
                    return 0;
                if (errno != Errno.EINTR)
                    throw device.Broken("read a packet from", errno);
            }
        }
    }

    /// <inheritdoc/>
    public TunWriteResult Write(in VirtioNetHeader header, Span<IoVec> parts)
    {
        fixed (VirtioNetHeader* head = &header)
        fixed (IoVec* all = parts)
        {
            IoVec* first = hasHeader ? all : all + 1;
            int count = hasHeader ? parts.Length : parts.Length - 1;
            all[0] = new IoVec { Base = (byte*)head, Length = VirtioNetHeader.Length };
            // With nothing behind its header the kernel takes a packet for good.
            if (parts.Length < 2 || (parts.Length == 2 && parts[1].Length == 0))
                return TunWriteResult.Refused;
            while (true)
            {
                if (Libc.writev(_fd, first, count) >= 0)
                    return TunWriteResult.Taken;
                int errno = Marshal.GetLastPInvokeError();
                if (errno is Errno.EBADFD or Errno.EBADF)
                    throw device.Broken("write a packet to", errno);
                if (errno == Errno.EINVAL && header.IsSuperpacket)
                {
                    // Some kernels (6.6.44 and what took its change) refuse right ones; they take the packets alone.
                    device.GiveUp(header.GsoType == VirtioNetHeader.GsoUdp ? OffloadSet.TunUdpGro : OffloadSet.TunTcpGro);
                    return TunWriteResult.NoOffload;
                }
                // EIO: the interface is down. EINVAL: no IP packet. EAGAIN, ENOBUFS, ENOMEM: no room.
                if (errno != Errno.EINTR)
                    return TunWriteResult.Refused;
            }
        }
    }

    public void Close()
    {
        int open = Interlocked.Exchange(ref _fd, -1);
        if (open >= 0)
            _ = Libc.close(open);
    }
}
