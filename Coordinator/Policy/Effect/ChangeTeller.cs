using System.Collections.Immutable;

namespace Mesh.Coordinator.Policy.Effect;

/// <summary>Puts changes between sets of machines into words.</summary>
internal sealed class ChangeTeller(IReadOnlyList<NamedSubject> machines, MachineNames names)
{
    /// <summary>Those that touch most pairs of machines; and how many more there are.</summary>
    public (ImmutableArray<PolicyChange> Told, int More) Tell(IEnumerable<AccessChange> changes)
    {
        var ordered = changes.Select(change => (Change: change, Pairs: (long)change.Senders.Length * change.Receivers.Length))
            .OrderByDescending(entry => entry.Pairs)
            .ThenBy(entry => entry.Change.Senders[0]).ThenBy(entry => entry.Change.Receivers[0])
            .ThenBy(entry => entry.Change.Difference.Services.ToString(), StringComparer.Ordinal)
            .ThenBy(entry => entry.Change.Difference.Pairs).ThenBy(entry => entry.Change.Difference.Family)
            .Select(entry => entry.Change).ToList();
        var told = ImmutableArray.CreateBuilder<PolicyChange>();
        int seen = 0;
        foreach (var change in ordered)
        {
            if (told.Count == PolicyEffect.MaxChanges) break;
            seen++;
            if (Describe(change) is { } words) told.Add(words);
        }
        return (told.ToImmutable(), ordered.Count - seen);
    }

    /// <summary>Null when there is no such pair: a class compared with itself may have a single machine.</summary>
    private PolicyChange? Describe(AccessChange change)
    {
        var (hasOwn, hasOther) = PairsOf(change);
        string whose;
        switch (change.Difference.Pairs)
        {
            case PairKind.SameOwner when !hasOwn:
            case PairKind.OtherOwner when !hasOther:
            case PairKind.All when !hasOwn && !hasOther:
                return null;
            case PairKind.SameOwner when hasOther:
                whose = " of the same user";
                break;
            case PairKind.OtherOwner when hasOwn:
                whose = " of other users";
                break;
            default:
                whose = "";
                break;
        }
        HashSet<int> senders = [.. change.Senders], receivers = [.. change.Receivers];
        // What a machine may do to itself is nobody's concern.
        int self = receivers.Count == 1 ? change.Receivers[0] : -1;
        senders.Remove(self);
        var from = names.Of(senders, self);
        string to = whose.Length > 0 || !senders.SetEquals(receivers) ? names.Of(receivers).Text + whose
            : senders.Count == machines.Count ? "every other" : "each other";
        string what = change.Difference.Services + change.Difference.Family switch { IpFamily.IPv4 => " by IPv4", IpFamily.IPv6 => " by IPv6", _ => "" };
        string verb = (change.Difference.IsGain, from.IsPlural) switch { (true, true) => "gain", (true, false) => "gains", (false, true) => "lose", _ => "loses" };
        return new PolicyChange(from.Text, to, what, senders.Count, $"{from.Text} {verb} {what} on {to}");
    }

    /// <summary>Whether there are pairs of one user's machines, and pairs of others.</summary>
    private (bool Own, bool Other) PairsOf(AccessChange change)
    {
        bool own = false;
        HashSet<(ulong Owner, int Machine)> persons = [];
        Dictionary<ulong, (int First, int Count)> senders = [];
        foreach (int sender in change.Senders)
        {
            persons.Add(PersonOf(sender));
            if (OwnerOf(sender) is not 0 and var owner) senders[owner] = senders.TryGetValue(owner, out var known) ? (known.First, known.Count + 1) : (sender, 1);
        }
        foreach (int receiver in change.Receivers)
        {
            persons.Add(PersonOf(receiver));
            own |= OwnerOf(receiver) is not 0 and var owner && senders.TryGetValue(owner, out var known) && (known.Count > 1 || known.First != receiver);
        }
        return (own, persons.Count > 1);

        // A machine that is nobody's is like one of a user who has no other.
        (ulong, int) PersonOf(int machine) => OwnerOf(machine) is not 0 and var owner ? (owner, -1) : (0, machine);
    }

    private ulong OwnerOf(int machine) => machines[machine].Subject.EffectiveOwnerId;
}
