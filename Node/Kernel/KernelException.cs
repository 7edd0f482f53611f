using System.Runtime.InteropServices;

namespace Mesh.Node.Kernel;

/// <summary>A system call failed. The message is "cannot OPERATION: REASON", fit for a user's eyes.</summary>
public class KernelException : IOException
{
    /// <param name="operation">What was tried, in words that follow "cannot": "bind UDP port 51820".</param>
    /// <param name="errno">The raw errno, see <see cref="Kernel.Errno"/>.</param>
    /// <param name="advice">What the user can do about it, one sentence, or null.</param>
    public KernelException(string operation, int errno, string? advice = null)
        : base(Describe(operation, errno, advice), errno)
    {
        Operation = operation;
        Errno = errno;
    }

    /// <summary>What was tried, in words that follow "cannot".</summary>
    public string Operation { get; }

    /// <summary>The raw errno of the call.</summary>
    public int Errno { get; }

    /// <summary>The failure of the P/Invoke call that this thread made last.</summary>
    internal static KernelException Last(string operation) => new(operation, Marshal.GetLastPInvokeError());

    private static string Describe(string operation, int errno, string? advice)
    {
        string reason = Marshal.GetPInvokeErrorMessage(errno);
        return advice is null ? $"cannot {operation}: {reason}" : $"cannot {operation}: {reason}. {advice}";
    }
}
