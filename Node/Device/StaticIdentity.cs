using Mesh.Crypto;

namespace Mesh.Node.Device;

/// <summary>One static key of this device, with what follows from it.</summary>
internal sealed class StaticIdentity(X25519PrivateKey privateKey)
{
    public X25519PrivateKey PrivateKey { get; } = privateKey;

    public X25519PublicKey PublicKey => PrivateKey.PublicKey;

    /// <summary>Key of the mac1 that messages to us carry.</summary>
    public Mac1Key Mac1 { get; } = new(privateKey.PublicKey);

    /// <summary>Key of the cookies that we give out.</summary>
    public CookieKey CookieKey { get; } = new(privateKey.PublicKey);
}

/// <summary>The device's one or two static keys, published as a whole. Initiations go out under the current one.</summary>
internal sealed record DeviceIdentity(StaticIdentity? Current, StaticIdentity? Previous)
{
    public static readonly DeviceIdentity None = new(null, null);

    /// <summary>The identity whose public key the sender of the message knows.</summary>
    public StaticIdentity? FindByMac1(ReadOnlySpan<byte> message, ReadOnlySpan<byte> mac1) =>
        Current?.Mac1.Verify(message, mac1) == true ? Current
        : Previous?.Mac1.Verify(message, mac1) == true ? Previous
        : null;

    public bool Has(in X25519PublicKey key) => Current?.PublicKey == key || Previous?.PublicKey == key;
}
