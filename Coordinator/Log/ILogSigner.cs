namespace Mesh.Coordinator.Log;

/// <summary>Signs heads with the log key. Thread-safe: every network of a coordinator shares one.</summary>
public interface ILogSigner
{
    /// <summary>A head for a point that is about to be stored, signed, with the root's certificate for the key that signed it.</summary>
    SignedHead Sign(NetworkId network, LogPoint point);
}
