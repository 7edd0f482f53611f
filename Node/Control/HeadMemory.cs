using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

public enum HeadJudgement
{
    /// <summary>The log went on, or stands where it stood.</summary>
    Good,

    /// <summary>Not signed by a log key of the pinned root: the frame is not applied.</summary>
    NotSigned,

    /// <summary>Properly signed, and contradicts or lies behind what this node remembers: applied, reported and shown.</summary>
    Fork,
}

/// <summary>
/// Remembers the newest signed head of the network's log, so that a coordinator that shows different nodes different
/// histories, or one node a history rewritten, is found out.
/// </summary>
internal sealed class HeadMemory(ReadOnlyMemory<byte> networkId, LogHead? remembered)
{
    /// <summary>The head to send with the next poll.</summary>
    public LogHead? Newest { get; private set; } = remembered;

    /// <summary>The two heads of the newest fork seen, until it is reported.</summary>
    public ForkEvidence? Evidence { get; private set; }

    /// <param name="rootSpki">Of the connection that the head came over.</param>
    public HeadJudgement Judge(LogHead head, ReadOnlySpan<byte> rootSpki)
    {
        // An unchanged head comes with every change of presence; its signature was checked when it was new.
        if (Newest is { } same && same.Equals(head)) return HeadJudgement.Good;
        if (LogHeads.Verify(head, networkId.Span, rootSpki) != LogHeadVerdict.Valid) return HeadJudgement.NotSigned;
        bool fork = Newest is { } before
            && (head.Position < before.Position || (head.Position == before.Position && head.Hash != before.Hash));
        if (fork) Evidence = new ForkEvidence { Remembered = Newest, Received = head };
        Newest = head;
        return fork ? HeadJudgement.Fork : HeadJudgement.Good;
    }

    public void EvidenceReported(ForkEvidence reported)
    {
        if (ReferenceEquals(Evidence, reported)) Evidence = null;
    }
}
