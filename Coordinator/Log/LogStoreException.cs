namespace Mesh.Coordinator.Log;

/// <summary>What is wrong with a store, as far as it decides what to do next.</summary>
public enum LogStoreFault
{
    /// <summary>Another process holds the file's lock for longer than the store waits.</summary>
    Locked,

    /// <summary>No space is left. Nothing was written and the store can go on once there is space again.</summary>
    DiskFull,

    /// <summary>The file or its directory may not be written, or not be read.</summary>
    AccessDenied,

    /// <summary>The file is not what was written: broken pages, a broken chain, rows that don't decode or unseal.</summary>
    Damaged,

    /// <summary>There is no store at the path.</summary>
    NotFound,

    /// <summary>Written by a newer version, in a form that this one can't read.</summary>
    TooNew,

    /// <summary>The data key beside the store is missing, unreadable or not this store's.</summary>
    DataKey,

    /// <summary>
    /// The disk failed. Whether the last append is durable is unknown, so the writer must stop: the next start reads what is
    /// really there.
    /// </summary>
    Io,
}

/// <summary>A store failed. The message says what happened to which file, and what to do next.</summary>
public sealed class LogStoreException(LogStoreFault fault, string message, Exception? inner = null)
    : Exception(message, inner)
{
    public LogStoreFault Fault { get; } = fault;

    /// <summary>True when the failed call certainly changed nothing and the store may be used further.</summary>
    public bool IsTransient => Fault is LogStoreFault.DiskFull or LogStoreFault.Locked;
}
