using Mesh.Crypto;

namespace Mesh.Node.Device;

/// <summary>
/// One static key of this device, with what follows from it. Handshakes are answered outside the control lock, so the key may
/// be replaced while one is at work with it: it is zeroed when its owner and all who use it have let go.
/// </summary>
internal sealed class StaticIdentity(X25519PrivateKey privateKey)
{
    private int _users = 1;

    public X25519PrivateKey PrivateKey { get; } = privateKey;

    public X25519PublicKey PublicKey => PrivateKey.PublicKey;

    /// <summary>Key of the mac1 that messages to us carry.</summary>
    public Mac1Key Mac1 { get; } = new(privateKey.PublicKey);

    /// <summary>Key of the cookies that we give out.</summary>
    public CookieKey CookieKey { get; } = new(privateKey.PublicKey);

    /// <summary>Keeps the key from being zeroed until <see cref="Release"/>.</summary>
    /// <returns>False when it is zeroed already, or about to be.</returns>
    public bool TryUse()
    {
        int users = Volatile.Read(ref _users);
        while (users > 0)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users) return true;
            users = seen;
        }
        return false;
    }

    /// <summary>To be called once by the owner, and once for every <see cref="TryUse"/> that said true.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0) PrivateKey.Dispose();
    }
}

/// <summary>The device's one or two static keys, published as a whole. Initiations go out under the current one, and are tried under the other when they are not answered.</summary>
internal sealed record DeviceIdentity(StaticIdentity? Current, StaticIdentity? Previous)
{
    public static readonly DeviceIdentity None = new(null, null);

    public bool Contains(StaticIdentity identity) => Current == identity || Previous == identity;

    /// <summary>The identity whose public key the sender of the message knows.</summary>
    public StaticIdentity? FindByMac1(ReadOnlySpan<byte> message, ReadOnlySpan<byte> mac1) =>
        Current?.Mac1.Verify(message, mac1) == true ? Current
        : Previous?.Mac1.Verify(message, mac1) == true ? Previous
        : null;

    public bool Has(in X25519PublicKey key) => Current?.PublicKey == key || Previous?.PublicKey == key;
}
