using Mesh.Node.Kernel;

namespace Mesh.Node.Tun;

/// <summary>Why a TUN device could not be opened or used.</summary>
public enum TunFailure
{
    /// <summary>None of the others: see <see cref="KernelException.Errno"/>.</summary>
    Other = 0,

    /// <summary>The kernel has no TUN driver, or this container was given no /dev/net/tun.</summary>
    NoDriver,

    /// <summary>The process lacks CAP_NET_ADMIN, or may not open /dev/net/tun.</summary>
    NotPermitted,

    /// <summary>Another process holds an interface of that name, or it is not a TUN interface.</summary>
    NameInUse,

    /// <summary>The name cannot be an interface's: empty, over 15 bytes, or with a slash or space.</summary>
    InvalidName,

    /// <summary>The interface was deleted while the device was open.</summary>
    Gone,
}

/// <summary>A TUN device could not be opened or used.</summary>
public sealed class TunException : KernelException
{
    /// <inheritdoc cref="KernelException(string, int, string?)"/>
    public TunException(TunFailure failure, string operation, int errno, string? advice = null)
        : base(operation, errno, advice)
    {
        Failure = failure;
    }

    /// <summary>The kind of failure, for exit codes and reactions.</summary>
    public TunFailure Failure { get; }
}
