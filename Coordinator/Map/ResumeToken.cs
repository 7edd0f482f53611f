using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Map;

/// <summary>
/// Where a node's map stands, in bytes that only this coordinator reads and makes:
/// <code>
///  0         1          9          41             49               57        65          81
///  +---------+----------+----------+--------------+----------------+---------+-----------+
///  | version | position | hash     | presence     | presence       | node id | MAC       |
///  | 1       | 8        | 32       | epoch 8      | version 8      | 8       | 16        |
///  +---------+----------+----------+--------------+----------------+---------+-----------+
/// </code>
/// Big-endian; the MAC is HMAC-SHA256 over network id ‖ what stands before it, cut to 16 bytes. A token of another node,
/// network or key is none.
/// </summary>
internal sealed record ResumeToken(LogPoint Point, ulong PresenceEpoch, long PresenceVersion)
{
    public const int Bytes = 81;
    public const int KeyBytes = 32;
    private const byte Version = 1;
    private const int MacOffset = 65;

    /// <param name="key">32 bytes.</param>
    public byte[] Encode(ReadOnlySpan<byte> key, NetworkId network, ulong nodeId)
    {
        byte[] bytes = new byte[Bytes];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), Point.Position);
        Point.Hash.CopyTo(bytes.AsSpan(9));
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(41), PresenceEpoch);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(49), PresenceVersion);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(57), nodeId);
        Mac(key, network, bytes.AsSpan(0, MacOffset), bytes.AsSpan(MacOffset));
        return bytes;
    }

    /// <summary>False for anything that <see cref="Encode"/> did not make for this node, network and key.</summary>
    public static bool TryDecode(
        ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> key, NetworkId network, ulong nodeId, [NotNullWhen(true)] out ResumeToken? token)
    {
        token = null;
        if (bytes.Length != Bytes || bytes[0] != Version) return false;
        Span<byte> mac = stackalloc byte[Bytes - MacOffset];
        Mac(key, network, bytes[..MacOffset], mac);
        if (!CryptographicOperations.FixedTimeEquals(mac, bytes[MacOffset..])
            || BinaryPrimitives.ReadUInt64BigEndian(bytes[57..]) != nodeId) return false;
        token = new ResumeToken(
            new LogPoint(BinaryPrimitives.ReadInt64BigEndian(bytes[1..]), new Bytes32(bytes[9..41])),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[41..]), BinaryPrimitives.ReadInt64BigEndian(bytes[49..]));
        return true;
    }

    private static void Mac(ReadOnlySpan<byte> key, NetworkId network, ReadOnlySpan<byte> covered, Span<byte> mac)
    {
        Span<byte> message = stackalloc byte[NetworkId.Length + MacOffset];
        Span<byte> full = stackalloc byte[32];
        network.CopyTo(message);
        covered.CopyTo(message[NetworkId.Length..]);
        HMACSHA256.HashData(key, message, full);
        full[..mac.Length].CopyTo(mac);
    }
}
