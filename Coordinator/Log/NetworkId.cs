using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Mesh.Coordinator.Log;

/// <summary>
/// A network's identity: 16 random bytes, fixed when it is created. Part of every sealed payload's associated data,
/// of every signed head and of a node's proof of possession, so that none of them means anything in another network.
/// </summary>
public readonly record struct NetworkId
{
    public const int Length = 16;

    private readonly UInt128 _value;

    /// <param name="bytes">Exactly 16 bytes.</param>
    public NetworkId(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        _value = BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public static NetworkId New()
    {
        Span<byte> bytes = stackalloc byte[Length];
        RandomNumberGenerator.Fill(bytes);
        return new NetworkId(bytes);
    }

    public void CopyTo(Span<byte> destination) => BinaryPrimitives.WriteUInt128BigEndian(destination, _value);

    public byte[] ToArray()
    {
        var bytes = new byte[Length];
        CopyTo(bytes);
        return bytes;
    }

    public override string ToString() => Convert.ToHexStringLower(ToArray());
}
