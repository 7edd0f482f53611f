using System.Buffers.Binary;

namespace Mesh.Simulation;

/// <summary>
/// The packets that the simulated hosts send each other: IPv4, with who, to whom and the how manieth behind the header.
/// <code>
///   0  20  IPv4 header
///  20   4  mark
///  24   1  number of the sender
///  25   1  number of the receiver
///  26   4  sequence number, big-endian
///  30   n  filling
/// </code>
/// </summary>
internal static class ProbePacket
{
    public const int MinLength = 30;
    private const uint Mark = 0x70726f62;

    /// <param name="source">Whose address the packet claims to come from: the sender's, but for a forged one.</param>
    public static byte[] Build(int from, int to, uint sequence, int length, int source)
    {
        byte[] packet = new byte[length];
        packet[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)length);
        packet[8] = 64;
        packet[9] = 17;
        SimulatedNode.InnerAddressOf(source).TryWriteBytes(packet.AsSpan(12), out _);
        SimulatedNode.InnerAddressOf(to).TryWriteBytes(packet.AsSpan(16), out _);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(20), Mark);
        packet[24] = (byte)from;
        packet[25] = (byte)to;
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(26), sequence);
        packet.AsSpan(MinLength).Fill((byte)sequence);
        return packet;
    }

    public static bool TryRead(ReadOnlySpan<byte> packet, out int from, out int to, out uint sequence)
    {
        (from, to, sequence) = (0, 0, 0);
        if (packet.Length < MinLength || BinaryPrimitives.ReadUInt32BigEndian(packet[20..]) != Mark) return false;
        (from, to, sequence) = (packet[24], packet[25], BinaryPrimitives.ReadUInt32BigEndian(packet[26..]));
        return true;
    }

    /// <summary>Number of the node whose address the packet's header names as its source.</summary>
    public static int SourceOf(ReadOnlySpan<byte> packet) => packet[15];
}

/// <summary>One packet on its way from host to host.</summary>
internal sealed class Probe(TimeSpan injected)
{
    /// <summary>When the sending host wrote it.</summary>
    public TimeSpan Injected { get; } = injected;

    /// <summary>When the sending device put it on the wire; null while it waits for a session.</summary>
    public TimeSpan? Emitted { get; set; }

    /// <summary>The underlay lost it: it says nothing about the session.</summary>
    public bool IsLost { get; set; }

    /// <summary>Tag of the message that carries it, which tells it from all others.</summary>
    public UInt128 Tag { get; set; }
}
