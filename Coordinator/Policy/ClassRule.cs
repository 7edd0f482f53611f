using System.Collections.Immutable;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy;

/// <summary>First and last port, both included.</summary>
public readonly record struct PortSpan(ushort First, ushort Last) : IComparable<PortSpan>
{
    public static PortSpan All { get; } = new(0, ushort.MaxValue);

    public bool IsAll => this == All;

    public int CompareTo(PortSpan other) => First != other.First ? First.CompareTo(other.First) : Last.CompareTo(other.Last);

    public static bool operator <(PortSpan left, PortSpan right) => left.CompareTo(right) < 0;

    public static bool operator >(PortSpan left, PortSpan right) => left.CompareTo(right) > 0;

    public static bool operator <=(PortSpan left, PortSpan right) => left.CompareTo(right) <= 0;

    public static bool operator >=(PortSpan left, PortSpan right) => left.CompareTo(right) >= 0;

    public override string ToString() => IsAll ? "*" : First == Last ? $"{First}" : $"{First}-{Last}";
}

/// <summary>Which IP versions a rule is for.</summary>
public enum IpFamily
{
    Both,
    IPv4,
    IPv6,
}

/// <summary>
/// One rule of what a class accepts: packets of peers of these classes, and from these prefixes behind routers, by protocol,
/// port and destination. What no rule allows is denied.
/// </summary>
public sealed record ClassRule(ImmutableArray<ClassId> Classes)
{
    /// <summary>The senders' classes, in order, for packets from an address of the sender's own. Empty matches none.</summary>
    public ImmutableArray<ClassId> Classes { get; init; } = Classes;

    /// <summary>The sender and the receiver must belong to one user (autogroup:self), for what <see cref="Classes"/> match.</summary>
    public bool SameOwner { get; init; }

    /// <summary>The IP version that <see cref="Classes"/> hold for: a rule that names an IPv4 address says nothing of IPv6.</summary>
    public IpFamily Family { get; init; }

    /// <summary>Source prefixes, for packets of whichever peer is the router for their source. Empty matches none.</summary>
    public ImmutableArray<IpPrefix> Sources { get; init; } = [];

    /// <summary>IP protocol numbers; empty means TCP, UDP and ICMP of both families.</summary>
    public ImmutableArray<byte> Protocols { get; init; } = [];

    /// <summary>Destination ports, for TCP, UDP and SCTP; empty means all.</summary>
    public ImmutableArray<PortSpan> Ports { get; init; } = [];

    /// <summary>What of what the receiver serves; empty means its own addresses.</summary>
    public ImmutableArray<IpPrefix> Destinations { get; init; } = [];

    /// <summary>The rule of the text that it comes from: "acls[3] (line 12)". Not part of what it means.</summary>
    public string Origin { get; init; } = "";

    /// <param name="port">Means nothing for protocols without ports.</param>
    public bool LetsThrough(byte protocol, ushort port) =>
        (Protocols.IsEmpty ? IpProtocols.Default : Protocols).Contains(protocol)
        && (!IpProtocols.HasPorts(protocol) || Ports.IsEmpty || Ports.Any(span => span.First <= port && port <= span.Last));

    /// <summary>Whether <see cref="Classes"/> hold for a version of IP.</summary>
    public bool IsFor(bool isIPv6) => Family == IpFamily.Both || (Family == IpFamily.IPv6) == isIPv6;

    /// <summary>Whether an address at a node is meant.</summary>
    public bool LeadsTo(PolicySubject receiver, IpPrefix destination)
    {
        ArgumentNullException.ThrowIfNull(receiver);
        return Destinations.IsEmpty ? receiver.Addresses.Contains(destination) : Destinations.Any(prefix => prefix.Contains(destination));
    }

    public bool Equals(ClassRule? other) =>
        other is not null && SameOwner == other.SameOwner && Family == other.Family && Same(Classes, other.Classes) && Same(Sources, other.Sources)
        && Same(Protocols, other.Protocols) && Same(Ports, other.Ports) && Same(Destinations, other.Destinations);

    // Rules of a filter share what they are made from.
    private static bool Same<T>(ImmutableArray<T> one, ImmutableArray<T> other) => one == other || one.AsSpan().SequenceEqual(other.AsSpan());

    public override int GetHashCode() => HashCode.Combine(Classes.Length, Classes.FirstOrDefault().Value, SameOwner, Ports.FirstOrDefault(), Destinations.Length);
}
