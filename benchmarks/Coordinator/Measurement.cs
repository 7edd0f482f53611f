using Mesh.Coordinator.Map;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;
using Mesh.Coordinator.Tests.Policy;

namespace Mesh.Benchmarks.Coordinator;

/// <summary>One policy over one fleet: what everything that happens to it costs.</summary>
internal sealed class Measurement
{
    private const int Runs = 5;

    /// <summary>More than these the pairwise evaluator is not asked.</summary>
    private const int NaiveNodes = 2_000;

    /// <summary>Of a batch; one alone is too short for the clock.</summary>
    private const int Joins = 500, Openings = 20;

    private readonly Workload _work;
    private readonly FleetPolicy _fleet;

    public Measurement(Workload work)
    {
        _work = work;
        _fleet = Compile(work.Text);
        Classes = _fleet.Classes.Count();
        Rules = _fleet.Classes.Sum(found => _fleet.IngressOf(found).Length);
    }

    public Workload Work => _work;

    public int Classes { get; }

    /// <summary>Of all filters together.</summary>
    public int Rules { get; }

    /// <summary>Every figure by its name, ours and, for up to 2,000 nodes, the pairwise evaluator's.</summary>
    public IEnumerable<Figure> Run()
    {
        var program = new PolicyProgram(PolicyDocument.Parse(_work.Text));
        PolicySubject[] joining = [.. Enumerable.Range(0, Joins).Select(_work.Joining)], leaving = _work.Subjects[..Joins];
        bool asked = _work.Nodes <= NaiveNodes;
        var naive = new NaiveNetwork(program.Document, _work.Subjects);
        // A machine that joins is held against every other. A whole fleet is half as many pairs as nodes by nodes: from a sample.
        Measured? pairs = !asked ? null : Measured.Of(1, 1, () => 0, _ => Array.ForEach(_work.Subjects, other => naive.Sees(joining[0], other)));
        Measured? all = pairs is { } one ? new Measured(one.Microseconds * _work.Nodes / 2, one.Bytes * _work.Nodes / 2) : null;

        yield return new Figure("parse and classify", "ms", Measured.Of(Runs, 1, () => 0, _ => Classify(_work.Text)), null);
        yield return new Figure("compile, with all filters", "ms", Measured.Of(Runs, 1, () => 0, _ => Compile(_work.Text)), all);
        yield return new Figure("policy change, filters encoded", "ms", Measured.Of(Runs, 1, () => 0, _ => Encode(Compile(_work.Changed))), all);
        yield return new Figure("join of a class", "us", Measured.Of(Runs, Joins, () => _fleet, fleet => Each(joining, subject => fleet.With(subject))), pairs);
        yield return new Figure("join that opens a class", "us", Measured.Of(Runs, Openings, Fresh, Open), pairs);
        yield return new Figure("leave", "us", Measured.Of(Runs, Joins, () => _fleet, fleet => Each(leaving, subject => fleet.Without(subject))), pairs);
        yield return new Figure("change of tags", "us", Measured.Of(Runs, Joins, () => _fleet, Retag), pairs);
        var bytes = BytesOfFilters();
        yield return new Figure("filter of a class, encoded", "B", new Measured(bytes.ByClass, 0), asked ? new Measured(bytes.ByAddress, 0) : null);
    }

    private FleetPolicy Classify(string text) => FleetPolicy.Of(new PolicyProgram(PolicyDocument.Parse(text)), _work.Subjects);

    private FleetPolicy Compile(string text)
    {
        var fleet = Classify(text);
        MakeFilters(fleet);
        return fleet;
    }

    private static void MakeFilters(FleetPolicy fleet)
    {
        foreach (var found in fleet.Classes) _ = fleet.IngressOf(found);
    }

    private static void Encode(FleetPolicy fleet)
    {
        foreach (var found in fleet.Classes) FilterEntry.Encode(fleet.IngressOf(found));
    }

    /// <summary>Of which nobody has seen the classes that are opened.</summary>
    private FleetPolicy Fresh() => Compile(_work.Text);

    private void Open(FleetPolicy fleet)
    {
        for (int i = 0; i < Openings; i++) MakeFilters(fleet.With(_work.Opening(i)));
    }

    private void Retag(FleetPolicy fleet)
    {
        for (int i = 0; i < Joins; i++)
            _ = fleet.Without(_work.Subjects[i]).With(_work.Subjects[i] with { Tags = _work.Subjects[(i + 7) % _work.Subjects.Length].Tags });
    }

    private static void Each(PolicySubject[] subjects, Func<PolicySubject, FleetPolicy> change)
    {
        foreach (var subject in subjects) _ = change(subject);
    }

    /// <summary>The average filter, as it is sent, and as it would be with the senders' addresses in the place of their classes.</summary>
    private (double ByClass, double ByAddress) BytesOfFilters()
    {
        var addresses = _work.Subjects.ToLookup(subject => _fleet.Program.ClassOf(subject).Id, subject => subject.Addresses.ToArray());
        double byClass = 0, byAddress = 0;
        foreach (var found in _fleet.Classes)
        {
            var filter = _fleet.IngressOf(found);
            byClass += FilterEntry.Encode(filter).Length;
            if (_work.Nodes > NaiveNodes) continue;
            byAddress += FilterEntry.Encode([.. filter.Select(rule => rule with
            {
                Classes = [], Sources = [.. rule.Classes.SelectMany(id => addresses[id]).SelectMany(own => own).Concat(rule.Sources)],
            })]).Length;
        }
        return (byClass / Classes, byAddress / Classes);
    }
}

/// <summary>What was measured of one thing, beside the pairwise evaluator's where it was asked.</summary>
/// <param name="Unit">Of the table: ms, us or B.</param>
internal sealed record Figure(string Name, string Unit, Measured Ours, Measured? Naive)
{
    public double InUnit(Measured measured) => Unit == "ms" ? measured.Microseconds / 1000 : measured.Microseconds;
}
