namespace Mesh.Coordinator.Log;

/// <summary>A place in a log: the position of an event and the chain's hash there. Two logs that share a point share all before it.</summary>
public readonly record struct LogPoint(long Position, Bytes32 Hash)
{
    /// <summary>Before the first event.</summary>
    public static LogPoint Start => default;
}
