using Mesh.Node.Kernel;

namespace Mesh.Node.Routes;

/// <summary>The kernel refused to read or change a link, an address or a route.</summary>
public sealed class NetlinkException : KernelException
{
    /// <inheritdoc cref="KernelException(string, int, string?)"/>
    public NetlinkException(string operation, int errno, string? advice = null)
        : base(operation, errno, advice)
    {
    }

    /// <summary>True when the process lacks CAP_NET_ADMIN.</summary>
    public bool IsNotPermitted => Errno is Kernel.Errno.EPERM or Kernel.Errno.EACCES;

    /// <summary>True when the link is not there (any more).</summary>
    public bool IsNoSuchLink => Errno is Kernel.Errno.ENODEV or Kernel.Errno.ENXIO;
}
