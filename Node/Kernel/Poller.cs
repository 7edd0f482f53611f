using System.Runtime.InteropServices;

namespace Mesh.Node.Kernel;

/// <summary>
/// Waits until one of a few descriptors is readable, a time has passed, or another thread calls <see cref="Wake"/>.
/// Waiting allocates nothing. One thread watches and waits. Dispose when that thread is done.
/// </summary>
public sealed unsafe class Poller : IDisposable
{
    private const int WakeSlot = 0;

    private readonly EventFlag _wake = new();
    private readonly int _capacity;
    private PollFd* _fds;
    private int _count;

    /// <param name="capacity">The most descriptors it can watch.</param>
    public Poller(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        _capacity = capacity + 1;
        _fds = (PollFd*)NativeMemory.AllocZeroed((nuint)_capacity, (nuint)sizeof(PollFd));
        Watch(_wake.Fd);
    }

    /// <summary>Frees the memory of a poller that was not disposed.</summary>
    ~Poller() => Free();

    /// <summary>True when the last wait ended (also) because of <see cref="Wake"/>.</summary>
    public bool WasWoken { get; private set; }

    /// <summary>Watches a descriptor; -1 takes a slot that is never ready.</summary>
    /// <returns>Its slot, for <see cref="IsReady"/> and <see cref="Change"/>.</returns>
    public int Watch(int fd)
    {
        if (_count == _capacity)
            throw new InvalidOperationException($"the poller has room for {_capacity - 1} descriptors");
        _fds[_count] = new PollFd { Fd = fd, Events = Libc.POLLIN };
        return _count++;
    }

    /// <summary>Makes a slot watch another descriptor, or none (-1).</summary>
    public void Change(int slot, int fd)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)_count);
        _fds[slot] = new PollFd { Fd = fd, Events = Libc.POLLIN };
    }

    /// <summary>Waits.</summary>
    /// <param name="timeoutMilliseconds">The longest wait; -1 is for ever, 0 only looks.</param>
    /// <returns>False when the time passed and nothing happened.</returns>
    public bool Wait(int timeoutMilliseconds)
    {
        WasWoken = false;
        int ready = Libc.poll(_fds, (nuint)_count, timeoutMilliseconds);
        if (ready < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno is not Errno.EINTR and not Errno.EAGAIN)
                throw new KernelException("wait for packets", errno);
            // A signal: let the caller look at its clock. No slot is ready.
            for (int i = 0; i < _count; i++)
                _fds[i].Returned = 0;
            return false;
        }
        if (IsReady(WakeSlot))
        {
            _wake.Clear();
            WasWoken = true;
        }
        return ready > 0;
    }

    /// <summary>
    /// True when the last wait found the slot's descriptor readable or broken: reading it tells which.
    /// </summary>
    public bool IsReady(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)slot, (uint)_count);
        return _fds[slot].Returned != 0;
    }

    /// <summary>Ends the current wait, or the next one. From any thread.</summary>
    public void Wake() => _wake.Set();

    /// <inheritdoc/>
    public void Dispose()
    {
        _wake.Dispose();
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.Free(_fds);
        _fds = null;
        _count = 0;
    }
}
