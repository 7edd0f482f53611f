namespace Mesh.Node.Kernel;

/// <summary>A flag that polls readable while it is set (eventfd). Any thread may set and clear it.</summary>
internal sealed unsafe class EventFlag : IDisposable
{
    public EventFlag()
    {
        Fd = Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
        if (Fd < 0)
            throw KernelException.Last("make an eventfd");
    }

    /// <summary>The descriptor to poll.</summary>
    public int Fd { get; private set; }

    /// <summary>Sets the flag.</summary>
    public void Set()
    {
        ulong one = 1;
        // The only failure of a live eventfd is a full counter: it is set then anyway.
        _ = Libc.write(Fd, &one, sizeof(ulong));
    }

    /// <summary>Clears the flag.</summary>
    public void Clear()
    {
        ulong count;
        _ = Libc.read(Fd, &count, sizeof(ulong));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Fd >= 0)
            _ = Libc.close(Fd);
        Fd = -1;
    }
}
