using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Mesh.Node.Kernel;

namespace Mesh.Node.Tests;

/// <summary>
/// Runs a test body in a network namespace of its own, which ends with it. The namespace belongs to the thread, so the
/// body must not start tasks or use the thread pool.
/// </summary>
internal static class NetworkNamespace
{
    /// <summary>Runs the body, or skips the test where this user may not make a namespace.</summary>
    public static void Run(Action body)
    {
        int errno = 0;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            if (Libc.unshare(Libc.CLONE_NEWNET) != 0)
            {
                errno = Marshal.GetLastPInvokeError();
                return;
            }
            try
            {
                body();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.SkipWhen(errno == Errno.EPERM, "needs root or CAP_SYS_ADMIN: makes a network namespace");
        Assert.Equal(0, errno);
        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>As <see cref="Run"/>, for tests that also open /dev/net/tun.</summary>
    public static void RunWithTun(Action body)
    {
        Assert.SkipUnless(File.Exists("/dev/net/tun"), "needs /dev/net/tun");
        Run(body);
    }
}
