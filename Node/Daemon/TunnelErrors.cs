using System.Runtime.InteropServices;
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
        TunException { Failure: TunFailure.Gone } => new(ExitCode.Failed, "the daemon's interface was deleted from outside", "Start the daemon again.", e),
        TunException { Failure: TunFailure.NotPermitted } => NoRights(e),
        TunException { Failure: TunFailure.NoDriver } => new(ExitCode.NoTunnelRights, What(e),
            "Load the tun module, or give this container the device /dev/net/tun.", e),
        TunException { Failure: TunFailure.NameInUse } => new(ExitCode.InUse, What(e),
            "Choose another name with --tun, or end the program that holds this one.", e),
        TunException { Failure: TunFailure.InvalidName } => new(ExitCode.Usage, What(e), "Choose another name with --tun.", e),
        UdpException { IsPortInUse: true } => new(ExitCode.InUse, What(e),
            "Choose another port with --listen-port, or leave it out to take any.", e),
        NetlinkException { IsNotPermitted: true } => NoRights(e),
        _ => new(ExitCode.Failed, e.Message, null, e),
    };

    // Without the advice of a layer that knows no command line.
    private static string What(KernelException e) => $"cannot {e.Operation}: {Marshal.GetPInvokeErrorMessage(e.Errno)}";

    private static UserException NoRights(KernelException e) => new(ExitCode.NoTunnelRights,
        $"this user may not make network interfaces: {What(e)}", "Start the daemon as root, or give it CAP_NET_ADMIN.", e);
}
