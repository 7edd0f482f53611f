using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

public enum ControlFailure
{
    /// <summary>No connection, or it broke.</summary>
    Unreachable,

    /// <summary>Connected, but no answer in time.</summary>
    TimedOut,

    /// <summary>The server did not prove itself to the pin; <see cref="ControlException.Verdict"/> says how. It learned nothing of this node.</summary>
    NotTrusted,

    /// <summary>The coordinator answered with a problem; <see cref="ControlException.ProblemType"/> says which.</summary>
    Refused,

    /// <summary>The coordinator's answer is not one of this protocol.</summary>
    BadAnswer,
}

/// <summary>A call to the coordinator failed.</summary>
public sealed class ControlException : Exception
{
    public ControlException(ControlFailure failure, string message, Exception? inner = null) : base(message, inner) => Failure = failure;

    public ControlFailure Failure { get; }

    /// <summary>Of <see cref="ControlFailure.NotTrusted"/>.</summary>
    public TrustVerdict? Verdict { get; init; }

    /// <summary>One of <see cref="Mesh.Protocol.Control.ProblemType"/>, or one that this node does not know, or null.</summary>
    public string? ProblemType { get; init; }

    /// <summary>HTTP status of <see cref="ControlFailure.Refused"/>.</summary>
    public int Status { get; init; }

    /// <summary>How long the coordinator asks to wait, at most an hour; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
