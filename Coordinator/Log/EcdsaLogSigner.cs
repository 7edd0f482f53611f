using System.Security.Cryptography;

namespace Mesh.Coordinator.Log;

/// <summary>A log key held in memory, with its certificate. Owns the key and disposes of it.</summary>
/// <param name="key">ECDSA P-256 with its private half.</param>
/// <param name="certificate">DER, for that key.</param>
public sealed class EcdsaLogSigner(ECDsa key, byte[] certificate) : ILogSigner, IDisposable
{
    private byte[] _certificate = certificate;
    private readonly Lock _lock = new();

    /// <summary>SubjectPublicKeyInfo.</summary>
    public byte[] PublicKey { get; } = key.ExportSubjectPublicKeyInfo();

    public SignedHead Sign(NetworkId network, LogPoint point)
    {
        lock (_lock) // An ECDsa instance promises no thread-safety.
            return SignedHead.Sign(network, point, key, _certificate);
    }

    public SignedSnapshot Sign(NetworkId network, LogPoint point, byte[] sealedState)
    {
        lock (_lock)
            return SignedSnapshot.Sign(network, point, sealedState, key, _certificate);
    }

    public bool HasSigned(NetworkId network, SignedSnapshot snapshot)
    {
        if (!snapshot.Certificate.AsSpan().SequenceEqual(Volatile.Read(ref _certificate)))
            return false;
        lock (_lock)
            return snapshot.IsSignedBy(key, network);
    }

    /// <summary>From now on another root vouches for the same key.</summary>
    public void Recertify(byte[] certificate)
    {
        lock (_lock)
            _certificate = certificate;
    }

    public void Dispose() => key.Dispose();
}
