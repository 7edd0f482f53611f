using System.Security.Cryptography;
using Mesh.Crypto;

namespace Mesh.Node.Device;

/// <summary>One public key of a peer, with what follows from it and from our keys. Used by the control thread alone.</summary>
internal sealed class RemoteIdentity(Peer peer, in X25519PublicKey publicKey) : IDisposable
{
    private readonly byte[] _staticStatic = GC.AllocateArray<byte>(SecretKey.Length, pinned: true);
    private StaticIdentity? _agreedWith;
    private PeerMacs? _macs;

    public Peer Peer { get; } = peer;

    public X25519PublicKey PublicKey { get; } = publicKey;

    /// <summary>The macs that our messages to this key carry, and the cookie it gave us. Made with the first, as most peers are idle.</summary>
    public PeerMacs Macs => _macs ??= new PeerMacs(PublicKey);

    /// <summary>DH of the two static keys, kept for the pair used last.</summary>
    /// <returns>False when the peer's key is of low order: nothing is ever sent to it.</returns>
    public bool TryGetStaticStatic(StaticIdentity local, out ReadOnlySpan<byte> shared)
    {
        if (_agreedWith != local)
        {
            _agreedWith = null;
            if (!local.PrivateKey.TryAgree(PublicKey, _staticStatic))
            {
                shared = default;
                return false;
            }
            _agreedWith = local;
        }
        shared = _staticStatic;
        return true;
    }

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_staticStatic);
        _agreedWith = null;
    }
}
