using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Network;

/// <summary>A machine's identity: its ECDSA P-256 public key as SubjectPublicKeyInfo, named by the SHA-256 of it.</summary>
public sealed class MachineKey : IEquatable<MachineKey>
{
    /// <summary>A P-256 SubjectPublicKeyInfo has 91 bytes; compressed ones 59. Nothing longer is one.</summary>
    public const int MaxSpkiLength = 91;

    private readonly byte[] _spki;

    /// <param name="spki">Copied. The caller has checked that it is a P-256 key (the TLS handshake proves possession).</param>
    public MachineKey(ReadOnlySpan<byte> spki)
    {
        ArgumentOutOfRangeException.ThrowIfZero(spki.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(spki.Length, MaxSpkiLength);
        _spki = spki.ToArray();
        Id = Bytes32.Sha256Of(spki);
    }

    public Bytes32 Id { get; }

    public ReadOnlySpan<byte> SubjectPublicKeyInfo => _spki;

    public bool Equals(MachineKey? other) => other is not null && Id == other.Id;

    public override bool Equals(object? obj) => Equals(obj as MachineKey);

    public override int GetHashCode() => Id.GetHashCode();

    public override string ToString() => Id.ToString();
}
