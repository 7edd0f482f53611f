using System.CommandLine;
using System.Globalization;
using System.Net;
using Mesh.Node.Filter;
using Mesh.Node.LocalApi;

namespace Mesh.Node.Cli.Verbs;

/// <summary><c>mesh why</c>: what this node's own map and filter say of a connection, in both directions.</summary>
internal static class WhyVerb
{
    private static readonly (string Name, byte Number)[] Protocols =
        [("tcp", IpProtocol.Tcp), ("udp", IpProtocol.Udp), ("sctp", IpProtocol.Sctp), ("icmp", IpProtocol.Icmp), ("ipv6-icmp", IpProtocol.IcmpV6)];

    public static Command Create(CommandStreams streams)
    {
        var target = new Argument<string>("HOST:PORT") { Description = "A peer's name or address, and a port; [ADDRESS]:PORT for IPv6" };
        var protocol = new Option<string>("--protocol") { Description = "tcp, udp, sctp, icmp, or a number", HelpName = "NAME", DefaultValueFactory = _ => "tcp" };
        var socket = SharedOptions.Socket();
        var json = SharedOptions.Json();
        var command = new Command("why",
            "Says what this machine's filter makes of a connection to HOST:PORT, and of one from there to that port here.\n\n"
            + "Example:\n  mesh why db-1:5432\n  mesh why --protocol icmp db-1") { target, protocol, socket, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var request = Parse(parsed.GetRequiredValue(target), parsed.GetRequiredValue(protocol));
            var done = await LocalClient.AskAsync(parsed.GetRequiredValue(socket), new LocalRequest(LocalRequest.WhyVerb, Why: request), null, cancel)
                .ConfigureAwait(false);
            var why = done.Why!;
            await streams.Output.WriteLineAsync(parsed.GetValue(json) ? OutputJson.Text(why) : Describe(why)).ConfigureAwait(false);
            return (int)ExitCode.Done;
        });
        return command;
    }

    /// <exception cref="UserException">Not HOST:PORT, or no such protocol.</exception>
    internal static WhyRequest Parse(string target, string protocol)
    {
        int number = Array.Find(Protocols, known => string.Equals(known.Name, protocol, StringComparison.OrdinalIgnoreCase)).Number;
        if (number == 0 && !(int.TryParse(protocol, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number is > 0 and <= byte.MaxValue))
            throw new UserException(ExitCode.Usage, $"no protocol '{protocol}'", "Say tcp, udp, sctp, icmp, or a number from 1 to 255.");
        var (host, port) = Split(target);
        if (port is null && IpProtocol.HasPorts((byte)number))
            throw new UserException(ExitCode.Usage, $"'{target}' names no port", "Say HOST:PORT, as in: mesh why db-1:5432");
        // One word for both families.
        if (number == IpProtocol.Icmp && IPAddress.TryParse(host, out var address) && address.GetAddressBytes().Length == 16) number = IpProtocol.IcmpV6;
        return new WhyRequest(host, port, number);
    }

    private static (string Host, int? Port) Split(string target)
    {
        if (IPAddress.TryParse(target, out _) && !target.StartsWith('[')) return (target, null);
        int colon = target.LastIndexOf(':');
        if (colon < 0 || target.EndsWith(']')) return (target.Trim('[', ']'), null);
        if (!ushort.TryParse(target.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            throw new UserException(ExitCode.Usage, $"'{target}' has no port from 0 to 65535 behind the colon", "Say HOST:PORT, as in: mesh why db-1:5432");
        return (target[..colon].Trim('[', ']'), port);
    }

    private static string Describe(WhyAnswer why)
    {
        string what = Array.Find(Protocols, known => known.Number == why.Protocol).Name ?? string.Create(CultureInfo.InvariantCulture, $"protocol {why.Protocol}");
        string there = why.Port is { } port ? string.Create(CultureInfo.InvariantCulture, $" port {port}") : "";
        string dropped = why.Drops.Count == 0 ? "" : $"\nDropped of {why.Host}'s packets so far: " + string.Join(", ", why.Drops.Select(drop => $"{drop.Key} {drop.Value}"));
        return $"To {why.Host} ({why.Address}), {what}{there}: {why.Outbound.Verdict}: {why.Outbound.Reason}\n"
            + $"From {why.Host}, {what}{there} here: {why.Inbound.Verdict}: {why.Inbound.Reason}{dropped}";
    }
}
