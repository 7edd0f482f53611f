namespace Mesh.Coordinator.Log;

/// <summary>Signs heads and snapshots with the log key. Thread-safe: every network of a coordinator shares one.</summary>
public interface ILogSigner
{
    /// <summary>A head for a point that is about to be stored, signed, with the root's certificate for the key that signed it.</summary>
    SignedHead Sign(NetworkId network, LogPoint point);

    /// <summary>A snapshot of the state at a point, signed likewise.</summary>
    SignedSnapshot Sign(NetworkId network, LogPoint point, byte[] sealedState);

    /// <summary>Whether the very key of this signer signed the snapshot.</summary>
    bool HasSigned(NetworkId network, SignedSnapshot snapshot);
}
