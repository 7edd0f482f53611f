namespace Mesh.Coordinator.Policy;

/// <summary>A router of a network, as the choice among several goes.</summary>
/// <param name="Primary">Of its routes, those for which it was chosen among all that route them.</param>
public sealed record PolicyRouter(PolicySubject Subject, PolicyClass Class, IReadOnlySet<IpPrefix> Primary);

/// <summary>
/// Which of a peer's routes a viewer gets: those that a rule lets it reach, or that may reach it, from the router that is chosen
/// for it. Routers are few, so this may look at all of them.
/// </summary>
public sealed class FleetRoutes(PolicyProgram program, IReadOnlyList<PolicyRouter> routers)
{
    /// <param name="viewer">Whose map it is.</param>
    /// <param name="viewerClass">The viewer's class.</param>
    /// <param name="router">One of the routers.</param>
    public IEnumerable<IpPrefix> RoutesFor(PolicySubject viewer, PolicyClass viewerClass, PolicyRouter router)
    {
        ArgumentNullException.ThrowIfNull(router);
        foreach (var route in router.Subject.Routes)
        {
            bool open = program.Rules.Any(rule => !rule.HasVia && Opens(rule, viewerClass, route, router));
            bool chosen = route.IsDefaultRoute || FirstPrimary(route) == router;
            // A router that stands by for another hears of it.
            bool standsBy = !route.IsDefaultRoute && viewer.Routes.Contains(route);
            if ((chosen && (open || standsBy)) || program.Rules.Any(rule => rule.HasVia && OpensVia(rule, viewerClass, route, router)))
                yield return route;
        }
    }

    private static bool Opens(ProgramRule rule, PolicyClass viewer, IpPrefix route, PolicyRouter router)
    {
        bool sends = rule.Source.Of(viewer) != FactFlags.None;
        if (route.IsDefaultRoute) return sends && rule.Accesses.Any(access => access.Target.Everything || access.Target.IsExit(router.Class));
        if (sends && Targets(rule).Any(target => target.Overlaps(route))) return true;
        return rule.Source.Overlaps(route) && Targets(rule).Any(target => target.Of(viewer) != FactFlags.None);
    }

    private static IEnumerable<RuleSide> Targets(ProgramRule rule) =>
        rule.Accesses.Select(access => access.Target).Concat(rule.Granted is null ? [] : [rule.Granted]);

    private bool OpensVia(ProgramRule rule, PolicyClass viewer, IpPrefix route, PolicyRouter router)
    {
        if ((rule.Source.Of(viewer) & FactFlags.Own) == 0 || !rule.IsVia(router.Class)) return false;
        if (route.IsDefaultRoute) return rule.Accesses.Any(access => access.Target.IsExit(router.Class));
        return rule.Accesses.Any(access => access.Target.Overlaps(route)) && ChosenVia(rule, route) == router;
    }

    /// <summary>Of the routers with the tag: the one that is primary, or else the first.</summary>
    private PolicyRouter? ChosenVia(ProgramRule rule, IpPrefix route)
    {
        var able = routers.Where(router => rule.IsVia(router.Class) && router.Subject.Routes.Contains(route)).ToList();
        return able.Find(router => router.Primary.Contains(route)) ?? able.FirstOrDefault();
    }

    /// <summary>Where several are primary, each for whom a rule sends its way: the one whose rule comes first.</summary>
    private PolicyRouter? FirstPrimary(IpPrefix route) => routers
        .Where(router => router.Primary.Contains(route))
        .MinBy(router => program.Rules.TakeWhile(rule => !rule.HasVia || !rule.IsVia(router.Class) || !rule.Accesses.Any(access => access.Target.Overlaps(route))).Count());
}
