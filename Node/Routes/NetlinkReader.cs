using System.Buffers.Binary;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Mesh.Node.Routes;

/// <summary>Walks the messages in a received buffer. A damaged length ends the walk.</summary>
internal ref struct NetlinkReader(ReadOnlySpan<byte> buffer)
{
    private ReadOnlySpan<byte> _rest = buffer;

    /// <summary>The current message's header.</summary>
    public NetlinkHeader Header { get; private set; }

    /// <summary>What follows the current message's header.</summary>
    public ReadOnlySpan<byte> Payload { get; private set; }

    public bool MoveNext()
    {
        int headerLength = Unsafe.SizeOf<NetlinkHeader>();
        if (_rest.Length < headerLength)
            return false;
        Header = MemoryMarshal.Read<NetlinkHeader>(_rest);
        if (Header.Length < headerLength || Header.Length > _rest.Length)
            return false;
        int length = (int)Header.Length;
        Payload = _rest[headerLength..length];
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }
}

/// <summary>Walks attributes. A damaged length ends the walk.</summary>
internal ref struct NetlinkAttributeReader(ReadOnlySpan<byte> buffer)
{
    private ReadOnlySpan<byte> _rest = buffer;

    /// <summary>The current attribute's type, without its flag bits.</summary>
    public ushort Type { get; private set; }

    public ReadOnlySpan<byte> Value { get; private set; }

    public readonly uint UInt32 => Value.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(Value) : 0;

    public readonly byte Byte => Value.Length >= 1 ? Value[0] : (byte)0;

    public readonly string Text => Encoding.UTF8.GetString(Value.TrimEnd((byte)0));

    /// <summary>The value as an address; null when it has neither family's length.</summary>
    public readonly IPAddress? Address => Value.Length is 4 or 16 ? new IPAddress(Value) : null;

    public bool MoveNext()
    {
        if (_rest.Length < 4)
            return false;
        int length = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
        if (length < 4 || length > _rest.Length)
            return false;
        Type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(_rest[2..]) & NetlinkAttributes.TypeMask);
        Value = _rest[4..length];
        _rest = _rest[Math.Min((length + 3) & ~3, _rest.Length)..];
        return true;
    }
}
