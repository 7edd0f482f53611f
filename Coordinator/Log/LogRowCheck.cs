namespace Mesh.Coordinator.Log;

/// <summary>What can be wrong with a log.</summary>
public enum LogProblemKind
{
    None,

    /// <summary>A position is absent, or there twice.</summary>
    Missing,

    /// <summary>The header does not decode, or names another position than its row.</summary>
    BadHeader,

    /// <summary>The event does not follow the one before it, or its hash is not that of its bytes.</summary>
    BrokenChain,

    /// <summary>The payload or salt is not what the header commits to, or only one of the two was erased.</summary>
    ChangedPayload,

    /// <summary>A head names a point that the log does not have.</summary>
    HeadElsewhere,

    /// <summary>A head's signature, or the root's on its log key, is not valid.</summary>
    BadSignature,

    /// <summary>A snapshot is of a point that the log does not have, or is not what the log key signed.</summary>
    BadSnapshot,

    /// <summary>Events after the newest head: nobody vouches for them.</summary>
    Unsigned,

    /// <summary>The file holds something that no version writes.</summary>
    Malformed,
}

/// <summary>The checks of one row that need no key.</summary>
public static class LogRowCheck
{
    /// <param name="previous">The point before the row.</param>
    /// <param name="header">Valid when the result is None, and for ChangedPayload.</param>
    public static LogProblemKind Check(EventRow row, LogPoint previous, out EventHeader header)
    {
        header = default;
        if (row.Position != previous.Position + 1)
            return LogProblemKind.Missing;
        if (!EventHeader.TryDecode(row.Header, out header) || header.Position != row.Position)
            return LogProblemKind.BadHeader;
        if (row.PreviousHash != previous.Hash || LogChain.Next(previous.Hash, row.Header) != row.Hash)
            return LogProblemKind.BrokenChain;
        if (row.Salt is null && row.SealedPayload is null)
            return LogProblemKind.None;
        if (row.Salt is not { Length: EventRow.SaltLength } || row.SealedPayload is null
            || LogChain.Commit(row.Salt, row.SealedPayload) != header.Commitment)
            return LogProblemKind.ChangedPayload;
        return LogProblemKind.None;
    }
}
