using Mesh.Node.Kernel;

namespace Mesh.Node.Udp;

/// <summary>A UDP socket could not be opened or set.</summary>
public sealed class UdpException : KernelException
{
    /// <inheritdoc cref="KernelException(string, int, string?)"/>
    public UdpException(string operation, int errno, string? advice = null)
        : base(operation, errno, advice)
    {
    }

    /// <summary>True when another socket holds the port.</summary>
    public bool IsPortInUse => Errno == Kernel.Errno.EADDRINUSE;
}
