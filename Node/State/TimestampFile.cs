using Mesh.Crypto;
using Mesh.Node.Cli;

namespace Mesh.Node.State;

/// <summary>
/// The bound on disk that no TAI64N stamp of this node's initiations has passed. Peers drop an initiation whose stamp is
/// not above the last they saw, so stamps never go back: not when the wall clock does, and not over a restart.
/// </summary>
internal static class TimestampFile
{
    /// <summary>The bound stored last; the default value (below every time) when there is none.</summary>
    public static Tai64N Load(StateDirectory state)
    {
        byte[]? stored = AtomicFile.Read(state.TimestampPath, 64);
        if (stored is null) return default;
        if (stored.Length == Tai64N.Length) return Tai64N.Read(stored);
        throw new UserException(ExitCode.StateUnusable, $"{state.TimestampPath} is damaged: not {Tai64N.Length} bytes",
            "Remove it; peers may then refuse handshakes until the clock passes the last one used.");
    }

    /// <exception cref="IOException">Not stored.</exception>
    public static void Save(StateDirectory state, Tai64N bound)
    {
        Span<byte> bytes = stackalloc byte[Tai64N.Length];
        bound.Write(bytes);
        AtomicFile.Write(state.TimestampPath, bytes);
    }
}
