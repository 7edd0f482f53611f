namespace Mesh.Node.Uapi;

/// <summary>What the configuration protocol asks of a device's owner, beside the device itself.</summary>
internal interface IUapiHost
{
    /// <summary>0 when none was set or taken.</summary>
    int ListenPort { get; }

    uint Fwmark { get; }

    /// <summary>The owner configures the device by other means: every set is answered with EPERM.</summary>
    bool IsReadOnly { get; }

    /// <exception cref="Kernel.KernelException">The port is taken, or needs rights.</exception>
    void SetListenPort(int port);

    /// <exception cref="Kernel.KernelException">No right to set marks.</exception>
    void SetFwmark(uint mark);
}
