using System.Buffers.Binary;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Mesh.Node.Routes;

/// <summary>A request being built: the netlink header, one fixed header, then attributes.</summary>
internal sealed class NetlinkMessage
{
    private const int HeaderLength = 16;

    // A route with its every attribute takes about 120 bytes.
    private readonly byte[] _buffer = new byte[512];
    private int _length = HeaderLength;

    private NetlinkMessage(NetlinkType type, NetlinkFlags flags)
    {
        ref NetlinkHeader header = ref MemoryMarshal.AsRef<NetlinkHeader>(_buffer.AsSpan());
        header.Type = type;
        header.Flags = flags | NetlinkFlags.Request | NetlinkFlags.Ack;
    }

    /// <summary>A request whose fixed header is <paramref name="header"/>. It asks for an acknowledgement.</summary>
    public static NetlinkMessage Create<T>(NetlinkType type, NetlinkFlags flags, in T header)
        where T : unmanaged
    {
        var message = new NetlinkMessage(type, flags);
        MemoryMarshal.Write(message._buffer.AsSpan(message._length), header);
        message._length += (Unsafe.SizeOf<T>() + 3) & ~3;
        return message;
    }

    public NetlinkMessage Add(ushort type, ReadOnlySpan<byte> value)
    {
        int length = 4 + value.Length;
        Span<byte> room = _buffer.AsSpan(_length, (length + 3) & ~3);
        BinaryPrimitives.WriteUInt16LittleEndian(room, (ushort)length);
        BinaryPrimitives.WriteUInt16LittleEndian(room[2..], type);
        value.CopyTo(room[4..]);
        _length += room.Length;
        return this;
    }

    public NetlinkMessage Add(ushort type, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        return Add(type, bytes);
    }

    public NetlinkMessage Add(ushort type, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        return Add(type, bytes[..length]);
    }

    /// <summary>Adds a zero-terminated string.</summary>
    public NetlinkMessage Add(ushort type, string text) => Add(type, Encoding.UTF8.GetBytes(text + "\0"));

    /// <summary>The bytes to send, with this sequence number.</summary>
    public ReadOnlySpan<byte> Finish(uint sequence)
    {
        ref NetlinkHeader header = ref MemoryMarshal.AsRef<NetlinkHeader>(_buffer.AsSpan());
        header.Length = (uint)_length;
        header.Sequence = sequence;
        return _buffer.AsSpan(0, _length);
    }
}
