using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Mesh.Crypto;
using Mesh.EndToEnd.Lab;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Node.Offload;
using Mesh.Node.Wg;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>
/// One end of a tunnel in a process of its own: what <c>mesh wg</c> runs, and with it the daemon's filter or none. Signals switch
/// while it runs, so that both are measured of the same process, session and code. Each is answered by a <see cref="Mark"/>.
/// </summary>
internal static class FilterEnd
{
    public const string Verb = "end";

    // The runtime has no use for them itself.
    private const int SigUsr1 = 10, SigUsr2 = 12;

    public static async Task<int> RunAsync(string name)
    {
        CryptoLibraries.Require();
        using var end = WireGuardInterface.Open(name, OffloadSwitches.FromEnvironment(), DeviceQueue.DefaultCount, TimeProvider.System, Console.Error.WriteLine);
        var filter = new PolicyFilter(end.Device.AllowedIps, end.Device.Queues.Count);
        using var with = On(SigUsr1, () =>
        {
            if (filter.View == FilterView.Empty) filter.Enforce(View(end.Device, name), DateTimeOffset.UtcNow, end.Device.Now);
            end.Device.Filter = filter;
        });
        using var without = On(SigUsr2, () => end.Device.Filter = null);
        await end.Completion;
        return 0;

        PosixSignalRegistration On(int signal, Action act) => PosixSignalRegistration.Create((PosixSignal)signal, context =>
        {
            context.Cancel = true;
            act();
            Console.WriteLine(Mark.Now(end.Device.Peers.Sum(peer => peer.RxBytes)));
        });
    }

    /// <summary>Has ends run with the filter or without.</summary>
    public static async Task<Mark[]> SwitchAsync(IReadOnlyList<LabProcess> ends, bool filter)
    {
        int[] answered = [.. ends.Select(end => Answers(end).Length)];
        foreach (LabProcess end in ends) _ = Native.Kill(end.Id, filter ? SigUsr1 : SigUsr2);
        await Wait.UntilAsync("the ends have switched", TimeSpan.FromSeconds(10), () => ends.Zip(answered).All(end => Answers(end.First).Length > end.Second));
        return [.. ends.Select(end => Mark.Parse(Answers(end)[^1]))];
    }

    private static string[] Answers(LabProcess end) => end.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static FilterView View(WireGuardDevice device, string name)
    {
        IPAddress self = NetworkInterface.GetAllNetworkInterfaces().Single(link => link.Name == name).GetIPProperties().UnicastAddresses
            .Select(address => address.Address).Single(address => address.AddressFamily == AddressFamily.InterNetwork);
        Peer peer = device.Peers.Single();
        IPAddress other = device.AllowedIps.Of(peer).Single().Address.ToIPAddress();
        return FilterView.Of(FilterPolicy.Map(self, other, peer.Id), FilterView.Empty, DateTimeOffset.UtcNow);
    }
}

/// <summary>What an end has counted by some time.</summary>
/// <param name="At">The machine's clock.</param>
/// <param name="Received">Bytes of messages that the peer sent.</param>
/// <param name="Allocated">Bytes on the heap.</param>
internal readonly record struct Mark(TimeSpan At, long Received, TimeSpan Cpu, long Allocated)
{
    public static Mark Now(long received) =>
        new(Stopwatch.GetElapsedTime(0), received, Environment.CpuUsage.TotalTime, GC.GetTotalAllocatedBytes(precise: true));

    public static Mark Parse(string text) => text.Split(' ') is [var at, var received, var cpu, var allocated]
        ? new(TimeSpan.FromTicks(Number(at)), Number(received), TimeSpan.FromTicks(Number(cpu)), Number(allocated))
        : throw new InvalidOperationException($"an end says {text}");

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{At.Ticks} {Received} {Cpu.Ticks} {Allocated}");

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
