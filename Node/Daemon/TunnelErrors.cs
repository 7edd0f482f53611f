using Mesh.Node.Cli;
using Mesh.Node.Kernel;
using Mesh.Node.Routes;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.Node.Daemon;

/// <summary>The kernel's refusals, as a person needs them.</summary>
internal static class TunnelErrors
{
    public static UserException Explain(KernelException e) => e switch
    {
        TunException { Failure: TunFailure.NotPermitted } => NoRights(e),
        TunException { Failure: TunFailure.NoDriver } => new(ExitCode.NoTunnelRights, e.Message,
            "Load the tun module, or give this container the device /dev/net/tun.", e),
        TunException { Failure: TunFailure.NameInUse } => new(ExitCode.InUse, e.Message,
            "Choose another name with --tun, or end the program that holds this one.", e),
        TunException { Failure: TunFailure.InvalidName } => new(ExitCode.Usage, e.Message, "Choose another name with --tun.", e),
        UdpException { IsPortInUse: true } => new(ExitCode.InUse, e.Message,
            "Choose another port with --listen-port, or leave it out to take any.", e),
        NetlinkException { IsNotPermitted: true } => NoRights(e),
        _ => new(ExitCode.Failed, e.Message, null, e),
    };

    private static UserException NoRights(KernelException e) => new(ExitCode.NoTunnelRights,
        "this user may not make network interfaces (" + e.Message + ")", "Start the daemon as root, or give it CAP_NET_ADMIN.", e);
}
