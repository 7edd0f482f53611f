using Mesh.Node.Device;
using ControlPeer = Mesh.Protocol.Control.Peer;

namespace Mesh.Node.Filter;

/// <summary>What one peer may, as the newest map says. Immutable but for its counters; kept over maps that change nothing of it.</summary>
internal sealed class PeerRights
{
    private static long s_numbers;

    public PeerRights(ControlPeer source, RuleSet rules, bool sameOwner, PeerRights? before)
    {
        (Source, Rules, SameOwner) = (source, rules, sameOwner);
        Number = (ulong)Interlocked.Increment(ref s_numbers);
        Visibility = before?.Visibility ?? Number;
        Drops = before?.Drops ?? new PeerDrops(source.NodeId);
        ExpiresAt = FilterView.Expiry(source);
        EnforcesNothing = source.Kind == Protocol.Control.PeerKind.Wireguard;
        OwnAddresses = FilterView.HostAddresses(source.Prefixes.Where(prefix => prefix.Primary));
        Ingress = rules.Ingress(source.ClassId, sameOwner);
        Egress = EnforcesNothing ? rules.Egress(source.ClassId, sameOwner) : DestinationRights.None;
    }

    public ControlPeer Source { get; }

    public RuleSet Rules { get; }

    public bool SameOwner { get; }

    /// <summary>Of these rights: another one as soon as anything of them changes. Never used twice in a process.</summary>
    public ulong Number { get; }

    /// <summary>Of the time through which the peer can be seen without a gap, whatever its rights and keys. Flows hang on it.</summary>
    public ulong Visibility { get; }

    /// <summary>A plain WireGuard client: what we send to it is judged here.</summary>
    public bool EnforcesNothing { get; }

    /// <summary>UTC ticks; <see cref="long.MaxValue"/> for never.</summary>
    public long ExpiresAt { get; }

    public IpAddressBits[] OwnAddresses { get; }

    public DestinationRights Ingress { get; }

    public DestinationRights Egress { get; }

    public PeerDrops Drops { get; }

    /// <summary>Whether a map's entry means these very rights.</summary>
    public bool IsOf(ControlPeer entry, RuleSet rules, bool sameOwner) =>
        rules == Rules && sameOwner == SameOwner && entry.ClassId == Source.ClassId && entry.OwnerId == Source.OwnerId && entry.Name == Source.Name
        && entry.Kind == Source.Kind && entry.ExpiresAtMs == Source.ExpiresAtMs && entry.Prefixes.Equals(Source.Prefixes);

    /// <summary>Whether a rule lets the peer send this to us.</summary>
    /// <param name="toOwn">The destination is an address of our own.</param>
    public bool MaySend(in IpAddressBits from, in IpAddressBits to, bool toOwn, byte protocol, ushort port) =>
        (FilterView.Has(OwnAddresses, from) && Ingress.Allows(to, toOwn, protocol, port))
        || AnyAllows(Rules.BySource, from, to, toOwn, protocol, port);

    /// <summary>Whether a rule lets us send this to the peer.</summary>
    /// <param name="fromOwn">The source is an address of our own.</param>
    public bool MayReceive(in IpAddressBits from, bool fromOwn, in IpAddressBits to, byte protocol, ushort port)
    {
        bool toOwn = FilterView.Has(OwnAddresses, to);
        return (fromOwn && Egress.Allows(to, toOwn, protocol, port)) || AnyAllows(Rules.EgressBySource, from, to, toOwn, protocol, port);
    }

    private static bool AnyAllows(
        PrefixTable<DestinationRights> bySource, in IpAddressBits from, in IpAddressBits to, bool toOwn, byte protocol, ushort port)
    {
        if (bySource.IsEmpty) return false;
        var matches = bySource.Covering(from);
        while (matches.Next() is { } rights)
            if (rights.Allows(to, toOwn, protocol, port)) return true;
        return false;
    }
}
