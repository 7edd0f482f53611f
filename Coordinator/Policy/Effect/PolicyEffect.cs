using System.Collections.Immutable;
using System.Globalization;

namespace Mesh.Coordinator.Policy.Effect;

/// <summary>Some machines gain or lose something.</summary>
/// <param name="From">Who begins: "tag:web (12 machines)", "alice's machines (3 machines)", "bob-laptop".</param>
/// <param name="To">Whom they reach, likewise.</param>
/// <param name="What">"everything", "tcp:5432", "tcp/udp:53, icmp".</param>
/// <param name="Machines">How many gain or lose.</param>
/// <param name="Text">The whole as a sentence.</param>
public sealed record PolicyChange(string From, string To, string What, int Machines, string Text);

/// <summary>
/// What another policy would change for the machines of a network, in words about tags, groups and users: who may reach what
/// that he could not, and the other way round. What touches most stands first.
/// </summary>
/// <param name="MoreGains">How many are not listed.</param>
/// <param name="MoreLosses">How many are not listed.</param>
/// <param name="IsComplete">False when the policies differ in too much to be compared to the end.</param>
public sealed record PolicyEffect(
    ImmutableArray<PolicyChange> Gains, ImmutableArray<PolicyChange> Losses, int MoreGains, int MoreLosses, bool IsComplete)
{
    /// <summary>Of gains, and of losses, that are listed.</summary>
    public const int MaxChanges = 20;

    public bool IsNothing => Gains.IsEmpty && Losses.IsEmpty && IsComplete;

    /// <param name="before">Over the machines.</param>
    /// <param name="after">Over the machines.</param>
    /// <param name="machines">Of names that differ.</param>
    public static PolicyEffect Of(FleetPolicy before, FleetPolicy after, IReadOnlyList<NamedSubject> machines)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        ArgumentNullException.ThrowIfNull(machines);
        var search = new EffectSearch(before, after, machines);
        var found = search.Run().ToLookup(change => change.Difference.IsGain);
        var teller = new ChangeTeller(machines, new MachineNames(machines, after.Program.Document, before.Program.Document));
        var (gains, moreGains) = teller.Tell(found[true]);
        var (losses, moreLosses) = teller.Tell(found[false]);
        return new PolicyEffect(gains, losses, moreGains, moreLosses, search.IsComplete);
    }

    /// <summary>For people, a line each.</summary>
    public IEnumerable<string> Lines()
    {
        if (IsNothing) yield return "nobody gains or loses anything";
        foreach (var gain in Gains) yield return gain.Text;
        if (MoreGains > 0) yield return string.Create(CultureInfo.InvariantCulture, $"and {MoreGains} more gains");
        foreach (var loss in Losses) yield return loss.Text;
        if (MoreLosses > 0) yield return string.Create(CultureInfo.InvariantCulture, $"and {MoreLosses} more losses");
        if (!IsComplete) yield return "and more: the two policies differ in too much to tell all of it";
    }
}
