using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Explanation;

/// <summary>Whether somebody reaches something.</summary>
/// <param name="Port">Means nothing for protocols without ports.</param>
public sealed record PolicyQuestion(string Source, string Destination, byte Protocol, ushort Port)
{
    /// <param name="source">A machine's name or address, "ann@", "tag:web", "group:dev".</param>
    /// <param name="destination">The same, with ":5432" behind it where the protocol has ports; [ADDRESS]:PORT for IPv6.</param>
    /// <param name="protocol">A name or a number.</param>
    /// <exception cref="FormatException">One of them is wrong; the message says which and what to write.</exception>
    public static PolicyQuestion Parse(string source, string destination, string protocol)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(protocol);
        if (IpProtocols.Parse(protocol, out string? problem) is not { } number) throw new FormatException(problem);
        if (!IpProtocols.HasPorts(number))
        {
            string host = destination.Trim();
            return new PolicyQuestion(source.Trim(), (host.EndsWith(":*", StringComparison.Ordinal) ? host[..^2] : host).Trim('[', ']'), number, 0);
        }
        if (PolicyReader.ReadDestinationWithPorts(destination, default, out problem, out _) is not { } target)
            throw new FormatException(problem ?? $"{HuJson.Quote(destination)} is not HOST:PORT");
        if (target.Ports is not [var port] || port.First != port.Last)
            throw new FormatException($"{HuJson.Quote(destination)} does not name one port; say HOST:PORT, such as db:5432");
        return new PolicyQuestion(source.Trim(), target.Target.Text, number, port.First);
    }

    /// <summary>"tcp:5432", "icmp".</summary>
    public string Service => IpProtocols.HasPorts(Protocol) ? $"{IpProtocols.NameOf(Protocol)}:{Port}" : IpProtocols.NameOf(Protocol);
}
