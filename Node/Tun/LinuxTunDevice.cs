using System.Runtime.InteropServices;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;
using Mesh.Node.Routes;

namespace Mesh.Node.Tun;

/// <summary>
/// A Linux TUN interface (/dev/net/tun, without packet information), with a descriptor for each of its queues. The interface lives as
/// long as the device is open: closing it, or the end of the process, removes it. It may be moved to another network namespace
/// meanwhile.
/// </summary>
/// <remarks>Dispose only once no thread reads or writes: descriptors are numbers, and the kernel gives them out again.
/// </remarks>
public sealed unsafe class LinuxTunDevice : ITunDevice
{
    private const string DevicePath = "/dev/net/tun";
    private const int IffTun = 0x0001;
    private const int IffMultiQueue = 0x0100;
    private const int IffNoPi = 0x1000;
    private const int IffVnetHeader = 0x4000;
    private const int IffExclusive = 0x8000;
    private const nuint TunSetIff = 0x400454ca;
    private const nuint TunGetIff = 0x800454d2;
    private const nuint TunSetOffload = 0x400454d0;
    private const uint Checksums = 0x01;
    private const uint TcpSegmentation = 0x02 | 0x04;
    private const uint UdpSegmentation = 0x20 | 0x40;
    private const nuint SiocGetMtu = 0x8921;
    private const nuint SiocSetMtu = 0x8922;
    private const nuint SiocGetQueueLength = 0x8942;
    private const nuint SiocSetQueueLength = 0x8943;

    // Packets that wait to be read. A fast sender fills the kernel's default of 500 within a turn of another program.
    private const int KernelQueueLength = 500;
    private const int QueueLength = 1000;

    private readonly LinuxTunQueue[] _queues = [];
    private readonly bool _hasHeader;
    private volatile string _name;
    private volatile int _mtu;
    private int _offloads;

    private LinuxTunDevice(List<int> descriptors, string name, bool hasHeader)
    {
        _queues = [.. descriptors.Select(fd => new LinuxTunQueue(this, fd, hasHeader))];
        _name = name;
        _hasHeader = hasHeader;
    }

    /// <summary>Closes a device that was not disposed.</summary>
    ~LinuxTunDevice() => Close();

    /// <inheritdoc/>
    public string Name => _name;

    /// <inheritdoc/>
    public int Mtu => _mtu;

    /// <inheritdoc/>
    public IReadOnlyList<ITunQueue> Queues => _queues;

    /// <inheritdoc/>
    public int PollFd => First.PollFd;

    /// <inheritdoc/>
    public OffloadSet Offloads => (OffloadSet)Volatile.Read(ref _offloads);

    private LinuxTunQueue First => _queues[0];

    /// <summary>Makes the interface, or takes over a persistent one of that name that nobody holds.</summary>
    /// <param name="name">1 to 15 bytes; a "%d" in it becomes the first free number.</param>
    /// <param name="mtu">Set at once if given; otherwise the kernel's default (1500) or what it had.</param>
    /// <param name="offloads">What may be left to the kernel; <see cref="Offloads"/> tells what it does of that.</param>
    /// <param name="queues">
    /// How many are wanted. A persistent interface that was made for one has one; <see cref="Queues"/> tells how many there are.
    /// </param>
    /// <exception cref="TunException">It could not be: <see cref="TunException.Failure"/> tells why.</exception>
    public static LinuxTunDevice Open(string name, int? mtu = null, OffloadSet offloads = OffloadSet.None, int queues = 1)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(queues);
        LayoutCheck.Run();
        string operation = $"create the TUN interface {name}";
        if (!InterfaceNames.IsValid(name))
        {
            throw new TunException(TunFailure.InvalidName, operation, Errno.EINVAL,
                "An interface name has 1 to 15 bytes, and no slash, colon or space");
        }
        bool hasHeader = (offloads & OffloadSet.Tun) != 0;
        List<int> descriptors = Attach(ref name, IffTun | IffNoPi | (hasHeader ? IffVnetHeader : 0), queues, operation);
        var device = new LinuxTunDevice(descriptors, name, hasHeader);
        try
        {
            if (mtu is { } wanted)
                device.SetMtu(wanted);
            else
                device.Update(device.Name, device.ReadMtu());
            device._offloads = (int)device.Agree(offloads & OffloadSet.Tun);
            device.LengthenQueue();
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public int Read(Span<byte> packet, out VirtioNetHeader header) => First.Read(packet, out header);

    /// <inheritdoc/>
    public TunWriteResult Write(in VirtioNetHeader header, Span<IoVec> parts) => First.Write(header, parts);

    /// <summary>Sets the interface's MTU. It must be in the calling thread's network namespace.</summary>
    /// <exception cref="TunException">The kernel refuses the value (68 to 65,535), or the interface is elsewhere.
    /// </exception>
    public void SetMtu(int mtu)
    {
        var request = new InterfaceRequest { Name = _name, Mtu = mtu };
        InterfaceIoctl(SiocSetMtu, ref request, $"set the MTU of {_name} to {mtu}");
        Update(_name, mtu);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>The interface's current name, wherever it is; null when it is gone.</summary>
    internal string? CurrentName()
    {
        InterfaceRequest request = default;
        return Libc.ioctl(PollFd, TunGetIff, &request) == 0 ? request.Name : null;
    }

    /// <summary>Notes what a watcher of the interface has learned.</summary>
    internal void Update(string name, int mtu)
    {
        _name = name;
        _mtu = mtu;
    }

    /// <summary>The kernel takes superpackets of this kind no longer.</summary>
    internal void GiveUp(OffloadSet kind) => Interlocked.And(ref _offloads, (int)~kind);

    internal TunException Broken(string what, int errno)
    {
        bool gone = errno is Errno.EBADFD or Errno.EBADF or Errno.EIO or Errno.ENODEV;
        return new TunException(gone ? TunFailure.Gone : TunFailure.Other, $"{what} {_name}", errno,
            gone ? "The interface was deleted" : null);
    }

    /// <summary>Opens a descriptor for each queue.</summary>
    /// <param name="name">Becomes the interface's.</param>
    private static List<int> Attach(ref string name, int flags, int queues, string operation)
    {
        string asked = name;
        var descriptors = new List<int>(queues);
        try
        {
            int errno = queues > 1 ? AttachOne(descriptors, ref name, flags | IffMultiQueue | IffExclusive, operation) : Errno.EINVAL;
            // It exists. Others can attach to one with several queues, so that only its count tells whether somebody holds it.
            if (errno == Errno.EBUSY && HasNoQueues(name))
                errno = AttachOne(descriptors, ref name, flags | IffMultiQueue, operation);
            if (errno is Errno.EBUSY or Errno.EINVAL)
            {
                queues = 1;
                errno = AttachOne(descriptors, ref name, flags, operation);
            }
            while (errno == 0 && descriptors.Count < queues)
                errno = AttachOne(descriptors, ref name, flags | IffMultiQueue, operation);
            return errno == 0 ? descriptors : throw AttachFailure(operation, asked, errno);
        }
        catch
        {
            foreach (int fd in descriptors)
                _ = Libc.close(fd);
            throw;
        }
    }

    /// <returns>The error number, or 0.</returns>
    private static int AttachOne(List<int> descriptors, ref string name, int flags, string operation)
    {
        int fd = Libc.open(DevicePath, Libc.O_RDWR | Libc.O_NONBLOCK | Libc.O_CLOEXEC);
        if (fd < 0)
            throw OpenFailure(operation, Marshal.GetLastPInvokeError());
        var request = new InterfaceRequest { Name = name, Flags = unchecked((short)flags) };
        if (Libc.ioctl(fd, TunSetIff, &request) < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            _ = Libc.close(fd);
            return errno;
        }
        descriptors.Add(fd);
        name = request.Name;
        return 0;
    }

    private static bool HasNoQueues(string name)
    {
        using var client = new RouteClient();
        return client.FindLink(name) is { TunQueues: 0 };
    }

    /// <summary>Agrees with the kernel on what the host's packets may lack or hold. Only a kernel that knows a kind takes it from us.</summary>
    /// <returns>What of the wished there is.</returns>
    private OffloadSet Agree(OffloadSet wished)
    {
        if (!_hasHeader)
            return OffloadSet.None;
        bool knowsUdp = Libc.ioctl(PollFd, TunSetOffload, (void*)(Checksums | TcpSegmentation | UdpSegmentation)) == 0;
        bool knowsTcp = knowsUdp || Libc.ioctl(PollFd, TunSetOffload, (void*)(Checksums | TcpSegmentation)) == 0;
        if (!knowsUdp)
            wished &= ~OffloadSet.TunUdpGro;
        if (!knowsTcp)
            wished &= ~(OffloadSet.TunGso | OffloadSet.TunTcpGro);
        if (!wished.HasFlag(OffloadSet.TunGso))
            _ = Libc.ioctl(PollFd, TunSetOffload, null);
        return wished;
    }

    /// <summary>Leaves alone what an operator has set, and does without where there is no right to.</summary>
    private void LengthenQueue()
    {
        var request = new InterfaceRequest { Name = _name };
        if (TryInterfaceIoctl(SiocGetQueueLength, ref request) != 0 || request.QueueLength != KernelQueueLength) return;
        request.QueueLength = QueueLength;
        _ = TryInterfaceIoctl(SiocSetQueueLength, ref request);
    }

    private static TunException OpenFailure(string operation, int errno) => errno switch
    {
        Errno.ENOENT or Errno.ENODEV or Errno.ENXIO => new TunException(TunFailure.NoDriver, operation, errno,
            $"{DevicePath} is missing: load the module (modprobe tun), or give the container that device"),
        Errno.EACCES or Errno.EPERM => NotPermitted(operation, errno),
        _ => new TunException(TunFailure.Other, operation, errno),
    };

    private static TunException AttachFailure(string operation, string name, int errno) => errno switch
    {
        Errno.EPERM or Errno.EACCES => NotPermitted(operation, errno),
        // EINVAL: an interface of another kind has the name.
        Errno.EBUSY or Errno.EEXIST or Errno.EINVAL when errno != Errno.EINVAL || InterfaceNames.IndexOf(name) != 0 =>
            new TunException(TunFailure.NameInUse, operation, errno,
                "An interface of that name exists: stop what holds it, or choose another name"),
        _ => new TunException(TunFailure.Other, operation, errno),
    };

    private static TunException NotPermitted(string operation, int errno) =>
        new(TunFailure.NotPermitted, operation, errno, "It needs root or CAP_NET_ADMIN");

    private int ReadMtu()
    {
        var request = new InterfaceRequest { Name = _name };
        InterfaceIoctl(SiocGetMtu, ref request, $"read the MTU of {_name}");
        return request.Mtu;
    }

    private static void InterfaceIoctl(nuint code, ref InterfaceRequest request, string operation)
    {
        if (TryInterfaceIoctl(code, ref request) is not 0 and var errno)
            throw errno == Errno.EPERM ? NotPermitted(operation, errno) : new TunException(TunFailure.Other, operation, errno);
    }

    /// <returns>The error number, or 0.</returns>
    private static int TryInterfaceIoctl(nuint code, ref InterfaceRequest request)
    {
        // Any socket takes the interface ioctls; a unix one exists without IPv4 too.
        int socket = Libc.socket(Libc.AF_UNIX, Libc.SOCK_DGRAM | Libc.SOCK_CLOEXEC, 0);
        if (socket < 0)
            return Marshal.GetLastPInvokeError();
        int errno;
        fixed (InterfaceRequest* argument = &request)
            errno = Libc.ioctl(socket, code, argument) < 0 ? Marshal.GetLastPInvokeError() : 0;
        _ = Libc.close(socket);
        return errno;
    }

    private void Close()
    {
        foreach (LinuxTunQueue queue in _queues)
            queue.Close();
    }
}
