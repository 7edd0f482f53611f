using System.Globalization;
using System.Runtime.InteropServices;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>What the kernel says of processes, in /proc. Times are seconds of CPU.</summary>
internal static partial class ProcessFigures
{
    // sysconf(_SC_CLK_TCK): the kernel's ABI to user space has it at 100 on every architecture that .NET runs on.
    private const double TicksPerSecond = 100;

    /// <summary>
    /// User and system time of a process with all its threads, the ended ones included: its CPU clock, as stat(5) counts in steps
    /// of 10 ms, a twentieth of what a burst of handshakes takes.
    /// </summary>
    public static double Cpu(int process)
    {
        // What clock_getcpuclockid(3) makes of a process.
        if (clock_gettime(~process << 3 | 2, out Timespec time) != 0)
            throw new InvalidOperationException($"process {process} has no CPU clock: {Marshal.GetLastPInvokeErrorMessage()}");
        return time.Seconds + time.Nanoseconds / 1e9;
    }

    public static double ResidentMegabytes(int process) => Status(process, "VmRSS:");

    /// <summary>The most that was resident since the start, or since <see cref="ForgetPeak"/>.</summary>
    public static double PeakMegabytes(int process) => Status(process, "VmHWM:");

    /// <summary>Starts the count of the peak anew (proc(5), clear_refs).</summary>
    public static void ForgetPeak(int process) => File.WriteAllText($"/proc/{process}/clear_refs", "5");

    /// <summary>CPU of this sandbox's processes, the ended ones included.</summary>
    public static double Sandbox()
    {
        double sum = 0;
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int process)) continue;
            try
            {
                (double own, double children) = Times(Fields(process));
                sum += own + children;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended; its parent has its time now.
            }
        }
        return sum;
    }

    /// <summary>Time that the whole machine's cores spent in processes, and idle.</summary>
    public static (double Busy, double Idle) Machine()
    {
        // cpu user nice system idle iowait irq softirq steal
        double[] times = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(text => double.Parse(text, CultureInfo.InvariantCulture) / TicksPerSecond)];
        return (times[0] + times[1] + times[2], times[3] + times[4]);
    }

    /// <summary>Fields of stat(5) behind the program's name, which may contain anything.</summary>
    private static string[] Fields(int process)
    {
        string stat = File.ReadAllText($"/proc/{process}/stat");
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static (double Own, double Children) Times(string[] fields)
    {
        double At(int field) => double.Parse(fields[field], CultureInfo.InvariantCulture) / TicksPerSecond;
        return (At(11) + At(12), At(13) + At(14));
    }

    private static double Status(int process, string name)
    {
        string line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int clock_gettime(int clock, out Timespec time);

    private readonly record struct Timespec(long Seconds, long Nanoseconds);
}
