using Mesh.Node.Kernel;
using Mesh.Node.Routes;

namespace Mesh.Node.Tun;

/// <summary>What has happened to a TUN interface.</summary>
[Flags]
public enum TunChange
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>It was set up or down: see <see cref="TunWatcher.IsUp"/>.</summary>
    UpOrDown = 1,

    /// <summary>Its MTU changed: see <see cref="LinuxTunDevice.Mtu"/>.</summary>
    Mtu = 2,

    /// <summary>It was renamed: see <see cref="LinuxTunDevice.Name"/>.</summary>
    Name = 4,

    /// <summary>It was deleted. Nothing will follow.</summary>
    Gone = 8,
}

/// <summary>
/// Follows what administrators do to a TUN interface: up, down, rename, MTU, deletion, and the move to another network
/// namespace, into which it follows the interface. Keeps the device's name and MTU current. One thread.
/// </summary>
public sealed unsafe class TunWatcher : IDisposable
{
    private const uint LinkGroup = 1;
    private const nuint TunGetDeviceNamespace = 0x54e3;
    private const int FollowAttempts = 8;

    private readonly LinuxTunDevice _device;
    private readonly EventFlag _gone = new();
    private NetlinkSocket _events;
    private int _index;
    private bool _isGone;

    /// <param name="device">Open, and in the calling thread's network namespace. Not owned.</param>
    /// <exception cref="TunException">The interface is gone.</exception>
    /// <exception cref="KernelException">Netlink is not to be had.</exception>
    public TunWatcher(LinuxTunDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        _events = new NetlinkSocket(LinkGroup);
        // Subscribed before reading, so that no change falls in between.
        if (!TryRead())
        {
            Dispose();
            throw new TunException(TunFailure.Gone, $"watch the interface {device.Name}", Errno.ENODEV);
        }
    }

    /// <summary>True while an administrator has the interface up.</summary>
    public bool IsUp { get; private set; }

    /// <summary>
    /// Polls readable while changes wait. The number changes when the interface moves to another namespace: take it
    /// anew after each <see cref="Read"/>. Owned by this; don't close it.
    /// </summary>
    public int PollFd => _isGone ? _gone.Fd : _events.Fd;

    /// <summary>Takes in all changes that wait. Never blocks for long.</summary>
    public TunChange Read()
    {
        if (_isGone)
            return TunChange.Gone;
        var change = TunChange.None;
        bool follow = false;
        while (true)
        {
            if (!_events.TryReceive(out ReadOnlySpan<byte> received))
            {
                follow = true;
                continue;
            }
            if (received.IsEmpty)
                break;
            var reader = new NetlinkReader(received);
            while (reader.MoveNext())
            {
                if (Link.Parse(reader.Header.Type, reader.Payload) is not { } link || link.Index != _index)
                    continue;
                if (reader.Header.Type == NetlinkType.DeleteLink)
                    follow = true;
                else
                    change |= Note(link);
            }
        }
        return follow ? change | Follow() : change;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _events.Dispose();
        _gone.Dispose();
    }

    /// <summary>Reads the interface's state in the namespace of the calling thread.</summary>
    private bool TryRead(out TunChange change)
    {
        change = TunChange.None;
        if (_device.CurrentName() is not { } name)
            return false;
        using var client = new RouteClient();
        if (client.FindLink(name) is not { Kind: "tun" } link)
            return false;
        _index = link.Index;
        change = Note(link);
        return true;
    }

    private bool TryRead() => TryRead(out _);

    private TunChange Note(Link link)
    {
        var change = TunChange.None;
        if (link.IsUp != IsUp)
            change |= TunChange.UpOrDown;
        if (link.Mtu != _device.Mtu)
            change |= TunChange.Mtu;
        if (link.Name != _device.Name)
            change |= TunChange.Name;
        IsUp = link.IsUp;
        _device.Update(link.Name, link.Mtu);
        return change;
    }

    /// <summary>Finds the interface again in the namespace that it is in now, or learns that it is gone.</summary>
    private TunChange Follow()
    {
        // Attempts, because it can be moved or renamed again on the way.
        for (int attempt = 0; attempt < FollowAttempts && _device.CurrentName() is not null; attempt++)
        {
            int space = Libc.ioctl(_device.PollFd, TunGetDeviceNamespace, null);
            if (space < 0)
            {
                // A kernel before 5.2, or no right to ask: it may still be where this thread is.
                if (TryEnter(-1, out TunChange here))
                    return here;
                break;
            }
            bool found = TryEnter(space, out TunChange change);
            _ = Libc.close(space);
            if (found)
                return change;
        }
        _isGone = _device.CurrentName() is null;
        if (!_isGone)
            return TunChange.None;
        _gone.Set();
        return TunChange.Gone;
    }

    /// <summary>Subscribes and reads in a namespace, from a thread that enters it and then ends.</summary>
    private bool TryEnter(int space, out TunChange change)
    {
        var seen = TunChange.None;
        bool found = false;
        var thread = new Thread(() =>
        {
            try
            {
                if (space >= 0 && Libc.setns(space, Libc.CLONE_NEWNET) != 0)
                    return;
                var events = new NetlinkSocket(LinkGroup);
                (NetlinkSocket old, _events) = (_events, events);
                old.Dispose();
                found = TryRead(out seen);
            }
            catch (KernelException)
            {
                // Then it was not found: the namespace is going away, or forbids to look.
            }
        })
        {
            Name = "tun-follow",
            IsBackground = true,
        };
        thread.Start();
        thread.Join();
        change = seen;
        return found;
    }
}
