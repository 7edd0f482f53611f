using Mesh.Node.Device;
using Mesh.Protocol.Control;

namespace Mesh.Node.Filter;

/// <summary>A map's filter, compiled. The rights of a class are made when a peer has it, and shared by all that do.</summary>
internal sealed class RuleSet
{
    private readonly ClassRules _ingress;
    private readonly ClassRules _egress;

    public RuleSet(PacketFilter filter)
    {
        Source = filter;
        _ingress = new ClassRules(filter.Ingress);
        _egress = new ClassRules(filter.Egress);
        BySource = _ingress.BySource();
        EgressBySource = _egress.BySource();
    }

    /// <summary>What this was made of.</summary>
    public PacketFilter Source { get; }

    /// <summary>What is accepted by the source address alone, from whoever is the router for it.</summary>
    public PrefixTable<DestinationRights> BySource { get; }

    /// <summary>What is let out by the source address alone.</summary>
    public PrefixTable<DestinationRights> EgressBySource { get; }

    /// <summary>What peers of a class may send to us.</summary>
    /// <param name="sameOwner">They and we have one owner.</param>
    public DestinationRights Ingress(ulong classId, bool sameOwner) => _ingress.Of(classId, sameOwner);

    /// <summary>What we may send to peers of a class.</summary>
    public DestinationRights Egress(ulong classId, bool sameOwner) => _egress.Of(classId, sameOwner);

    /// <summary>The ingress rules, for explanations.</summary>
    public IReadOnlyList<CompiledRule> IngressRules => _ingress.Rules;

    public IReadOnlyList<CompiledRule> EgressRules => _egress.Rules;

    private sealed class ClassRules
    {
        private readonly Dictionary<ulong, List<CompiledRule>> _byClass = [];
        private readonly Dictionary<(ulong, bool), DestinationRights> _rights = [];

        public ClassRules(IEnumerable<FilterRule> rules)
        {
            Rules = [.. rules.Select((rule, index) => CompiledRule.From(rule, index + 1)).OfType<CompiledRule>()];
            foreach (var rule in Rules)
            {
                foreach (ulong id in rule.Classes)
                {
                    if (!_byClass.TryGetValue(id, out var ofClass)) _byClass[id] = ofClass = [];
                    ofClass.Add(rule);
                }
            }
        }

        public List<CompiledRule> Rules { get; }

        public DestinationRights Of(ulong classId, bool sameOwner)
        {
            if (!_byClass.TryGetValue(classId, out var rules)) return DestinationRights.None;
            if (!_rights.TryGetValue((classId, sameOwner), out var rights))
                _rights[(classId, sameOwner)] = rights = new DestinationRights([.. rules.Where(rule => sameOwner || !rule.SameOwner)], byClass: true);
            return rights;
        }

        public PrefixTable<DestinationRights> BySource()
        {
            var bySource = new Dictionary<IpPrefix, List<CompiledRule>>();
            foreach (var rule in Rules)
            {
                foreach (var source in rule.Sources)
                {
                    if (!bySource.TryGetValue(source, out var ofSource)) bySource[source] = ofSource = [];
                    ofSource.Add(rule);
                }
            }
            return new PrefixTable<DestinationRights>(bySource.Select(entry => KeyValuePair.Create(entry.Key, new DestinationRights(entry.Value, byClass: false))));
        }
    }
}
