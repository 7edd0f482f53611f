namespace Mesh.Crypto;

/// <summary>WireGuard's optional symmetric key of a pair of peers. All zero means none.</summary>
public sealed class PresharedKey(ReadOnlySpan<byte> bytes) : SecretKey(bytes);
