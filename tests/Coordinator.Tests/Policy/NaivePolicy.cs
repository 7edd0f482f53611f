using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Tests.Policy;

/// <summary>A policy read rule by rule and node by node, with no idea of classes: slow, short, and what the compiler is held against.</summary>
internal static class NaivePolicy
{
    private static readonly byte[] Usual = [1, 6, 17, 58];

    /// <summary>Whether a packet from a node's own address is let in by another at one of its own.</summary>
    public static bool Allows(PolicyDocument policy, PolicySubject sender, IpPrefix source, PolicySubject receiver, IpPrefix destination, byte protocol, ushort port)
    {
        if (source.IsIPv6 != destination.IsIPv6) return false;
        if (policy.AllowsAllByDefault) return Usual.Contains(protocol);
        foreach (var rule in policy.Rules)
        {
            if (rule.NeedsPosture || !rule.Via.IsEmpty || !rule.Sources.Any(selector => Is(policy, selector, sender, source))) continue;
            foreach (var access in rule.Accesses)
            {
                bool fits = (access.Protocols.IsEmpty ? Usual : [.. access.Protocols]).Contains(protocol)
                    && (protocol is not (6 or 17 or 132) || access.Ports.IsEmpty || access.Ports.Any(span => span.First <= port && port <= span.Last));
                if (fits && access.Destinations.Any(selector => IsTarget(policy, selector, sender, receiver, destination))) return true;
            }
        }
        return false;
    }

    /// <summary>Whether two nodes without routes stand in each other's maps.</summary>
    public static bool Sees(PolicyDocument policy, PolicySubject one, PolicySubject other) => Reaches(policy, one, other) || Reaches(policy, other, one);

    private static bool Reaches(PolicyDocument policy, PolicySubject from, PolicySubject to) => policy.AllowsAllByDefault || policy.Rules.Any(rule =>
        !rule.NeedsPosture && rule.Via.IsEmpty
        && rule.Sources.Any(selector => from.Addresses.Any(address => Is(policy, selector, from, address)))
        && rule.Accesses.Any(access => access.Destinations.Any(selector => to.Addresses.Any(address => IsTarget(policy, selector, from, to, address)))));

    private static bool IsTarget(PolicyDocument policy, Selector selector, PolicySubject sender, PolicySubject receiver, IpPrefix address) => selector.Kind switch
    {
        SelectorKind.Self => sender.Tags.IsEmpty && receiver.Tags.IsEmpty && sender.OwnerId != 0 && sender.OwnerId == receiver.OwnerId,
        SelectorKind.Internet => false,
        _ => Is(policy, selector, receiver, address),
    };

    private static bool Is(PolicyDocument policy, Selector selector, PolicySubject node, IpPrefix address)
    {
        switch (selector.Kind)
        {
            case SelectorKind.Everything or SelectorKind.DangerAll: return true;
            case SelectorKind.Member: return node.Tags.IsEmpty;
            case SelectorKind.Tagged: return !node.Tags.IsEmpty;
            case SelectorKind.Tag: return node.Tags.Contains(selector.Text);
            case SelectorKind.User: return node.Tags.IsEmpty && selector.Text == node.UserEmail;
            case SelectorKind.Group: return node.Tags.IsEmpty && policy.Groups[selector.Text].Any(user => user.Text == node.UserEmail);
            case SelectorKind.Host: return policy.Hosts[selector.Text].Contains(address);
            case SelectorKind.Prefix: return selector.Prefix.Contains(address);
            default: return false;
        }
    }
}
