using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>
/// What a policy says, asked packet by packet and pair by pair: no classes, no facts, no filters. Slow and plain, to hold the
/// compiler against.
/// </summary>
internal sealed class NaiveNetwork(PolicyDocument document, IReadOnlyList<PolicySubject> fleet)
{
    private static readonly byte[] NamedByNone = [1, 6, 17, 58];

    private IEnumerable<IpPrefix> Subnets => fleet.SelectMany(node => node.Routes).Where(route => !route.IsDefaultRoute);

    private IEnumerable<PolicyRule> Rules => document.Rules.Where(rule => !rule.NeedsPosture);

    /// <summary>
    /// Whether a node takes a packet of another, from an address that the other has or routes, to one that it has or routes
    /// itself.
    /// </summary>
    public bool Allows(PolicySubject from, IpPrefix source, PolicySubject to, IpPrefix destination, byte protocol, ushort port)
    {
        if (document.AllowsAllByDefault) return AllowsAll(from, source, protocol);
        bool sends = IsOwn(from, source), ends = IsOwn(to, destination);
        foreach (var rule in Rules)
        {
            if (!rule.Via.IsEmpty && !rule.Via.Any(to.Tags.Contains)) continue;
            foreach (var access in rule.Accesses)
            {
                if (!(access.Protocols.IsEmpty ? NamedByNone.AsSpan() : access.Protocols.AsSpan()).Contains(protocol)) continue;
                if (protocol is 6 or 17 or 132 && !access.Ports.IsEmpty && !access.Ports.Any(span => port >= span.First && port <= span.Last)) continue;
                bool named = rule.Sources.Any(selector => sends ? Means(selector, from, source) : MeansRouted(selector, source));
                if (!named) continue;
                foreach (var target in access.Destinations)
                {
                    if (target.Kind == SelectorKind.Self ? sends && ends && rule.Via.IsEmpty && SameOwner(from, to) && Names(rule, to) : Receives(rule, target, to, destination, ends))
                        return true;
                }
            }
        }
        return false;
    }

    /// <summary>Whether two nodes stand in each other's maps: one, or what it routes, may begin something with the other.</summary>
    public bool Sees(PolicySubject one, PolicySubject other) => Begins(one, other) || Begins(other, one);

    private bool Begins(PolicySubject from, PolicySubject to)
    {
        if (document.AllowsAllByDefault) return true;
        foreach (var rule in Rules)
        {
            bool own = Own(from).Any(address => rule.Sources.Any(selector => Means(selector, from, address)));
            bool routed = rule.Sources.Any(selector => from.Routes.Any(route => !route.IsDefaultRoute && Overlaps(selector, route)));
            if (!own && !routed && !rule.Sources.Any(selector => selector.Kind is SelectorKind.Everything or SelectorKind.DangerAll)) continue;
            var targets = rule.Accesses.SelectMany(access => access.Destinations).Concat(rule.Capabilities.IsEmpty ? [] : rule.Destinations);
            foreach (var target in targets)
            {
                if (target.Kind == SelectorKind.Self)
                {
                    if (own && rule.Via.IsEmpty && SameOwner(from, to)) return true;
                    continue;
                }
                // A way is for addresses: "*" names none of them.
                bool leads = to.Routes.Any(route => !route.IsDefaultRoute && (rule.Via.IsEmpty ? OverlapsTarget(target, route) : Overlaps(target, route))) || (target.Kind == SelectorKind.Internet && to.IsExitNode);
                if (rule.Via.IsEmpty ? leads || Own(to).Any(address => Means(target, to, address)) : own && leads && rule.Via.Any(to.Tags.Contains)) return true;
            }
        }
        return false;
    }

    private bool AllowsAll(PolicySubject from, IpPrefix source, byte protocol) =>
        NamedByNone.Contains(protocol) && (IsOwn(from, source) || Subnets.Any(route => route.Contains(source)));

    /// <summary>autogroup:self: the receiver's user is a source too, and the sender was found to be one.</summary>
    private bool Names(PolicyRule rule, PolicySubject to) => Own(to).Any(address => rule.Sources.Any(selector => Means(selector, to, address)));

    private bool Receives(PolicyRule rule, Selector target, PolicySubject to, IpPrefix destination, bool ends)
    {
        if (target.Kind == SelectorKind.Internet) return to.IsExitNode && InternetHolds(destination);
        if (!rule.Via.IsEmpty)
            return document.LiteralOf(target) is { } way && way.Contains(destination) && to.Routes.Any(route => !route.IsDefaultRoute && route.Overlaps(way));
        if (ends) return Means(target, to, destination);
        if (target.Kind == SelectorKind.Everything) return true;
        // A router takes what a rule of its subnets says for any address it routes; the literal says which of them.
        return document.LiteralOf(target) is { } literal && literal.Contains(destination)
            && (to.Routes.Any(route => !route.IsDefaultRoute && route.Overlaps(literal)) || Own(to).Any(literal.Contains));
    }

    private bool Means(Selector selector, PolicySubject node, IpPrefix address) => selector.Kind switch
    {
        SelectorKind.Everything or SelectorKind.DangerAll => true,
        SelectorKind.Member => node.Tags.IsEmpty,
        SelectorKind.Tagged => !node.Tags.IsEmpty,
        SelectorKind.Tag => node.Tags.Contains(selector.Text),
        SelectorKind.User => node.Tags.IsEmpty && IsUser(node, selector.Text),
        SelectorKind.Group => node.Tags.IsEmpty && document.Groups[selector.Text].Any(user => IsUser(node, user.Text)),
        SelectorKind.Host or SelectorKind.Prefix => document.LiteralOf(selector)!.Value.Contains(address),
        _ => false,
    };

    private bool MeansRouted(Selector selector, IpPrefix source) => selector.Kind switch
    {
        SelectorKind.DangerAll => true,
        SelectorKind.Everything => Subnets.Any(route => route.Contains(source)),
        _ => document.LiteralOf(selector) is { } prefix && prefix.Contains(source),
    };

    private bool Overlaps(Selector selector, IpPrefix route) => document.LiteralOf(selector) is { } prefix && prefix.Overlaps(route);

    private bool OverlapsTarget(Selector target, IpPrefix route) => target.Kind == SelectorKind.Everything || Overlaps(target, route);

    private static bool IsUser(PolicySubject node, string token) =>
        token.Length > 0 && ((node.UserEmail.Length > 0 && node.UserEmail == token) || (node.UserName.Length > 0 && (node.UserName == token || node.UserName + "@" == token)));

    private static bool SameOwner(PolicySubject one, PolicySubject other) =>
        one.Tags.IsEmpty && other.Tags.IsEmpty && one.OwnerId != 0 && one.OwnerId == other.OwnerId;

    private static bool IsOwn(PolicySubject node, IpPrefix address) => Own(node).Contains(address);

    private static IEnumerable<IpPrefix> Own(PolicySubject node)
    {
        if (node.IPv4 is { } four) yield return four;
        if (node.IPv6 is { } six) yield return six;
    }

    /// <summary>By the RFCs, not by the compiler's list of what is left.</summary>
    private static bool InternetHolds(IpPrefix address)
    {
        string[] apart = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"];
        return address.IsIPv6 ? IpPrefix.Parse("2000::/3").Contains(address) : !apart.Any(prefix => IpPrefix.Parse(prefix).Contains(address));
    }
}
