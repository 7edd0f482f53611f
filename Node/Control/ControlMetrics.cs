using System.Diagnostics.Metrics;

namespace Mesh.Node.Control;

/// <summary>Figures of the control session, under the meter "Mesh.Node.Control".</summary>
internal static class ControlMetrics
{
    private static readonly Meter Meter = new("Mesh.Node.Control");
    private static readonly Counter<long> Applied = Meter.CreateCounter<long>("mesh.control.frames.applied", "{frame}", "Map frames applied whole");
    private static readonly Counter<long> Refused = Meter.CreateCounter<long>("mesh.control.frames.refused", "{frame}", "Map frames not applied, by fault");
    private static readonly Counter<long> Polls = Meter.CreateCounter<long>("mesh.control.polls.ended", "{poll}", "Polls that ended or were not to be had, by failure");

    public static void FrameApplied() => Applied.Add(1);

    public static void FrameRefused(MapFaultKind fault) => Refused.Add(1, new KeyValuePair<string, object?>("fault", fault.ToString()));

    /// <param name="failure">Null: the poll had been open.</param>
    public static void PollEnded(ControlFailure? failure) => Polls.Add(1, new KeyValuePair<string, object?>("failure", failure?.ToString() ?? "none"));
}
