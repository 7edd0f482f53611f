using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Mesh.EndToEnd.Lab;

/// <summary>The system calls that .NET has no name for.</summary>
internal static partial class Native
{
    public const int SigTerm = 15;
    public const int SigStop = 19;
    public const int SigContinue = 18;

    private const int NewNetwork = 0x40000000;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    public static partial int Kill(int process, int signal);

    /// <summary>Moves the calling thread, and no other, into a network namespace.</summary>
    public static void EnterNetwork(SafeFileHandle network)
    {
        if (SetNamespace(network, NewNetwork) != 0)
            throw new InvalidOperationException($"setns: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNamespace(SafeFileHandle descriptor, int type);
}
