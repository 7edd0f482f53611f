using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Mesh.Crypto;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>Building and opening of transport messages in place (see <see cref="TransportLayout"/>).</summary>
internal static unsafe class TransportMessage
{
    /// <summary>
    /// Bytes of padding behind a packet: up to a multiple of 16, but never beyond the MTU (the kernel's rule, so that lengths
    /// tell an observer nothing of the implementation). A packet longer than the MTU is padded as its last part would be.
    /// </summary>
    public static int Padding(int length, int mtu)
    {
        if (mtu <= 0) return -length & (TransportLayout.PaddingMultiple - 1);
        int last = length > mtu ? length % mtu : length;
        int padded = Math.Min((last + TransportLayout.PaddingMultiple - 1) & -TransportLayout.PaddingMultiple, mtu);
        return padded - last;
    }

    /// <summary>Seals a packet that stands at <see cref="TransportLayout.HeaderLength"/> of the message.</summary>
    /// <param name="message">Room for header, packet, padding and tag.</param>
    /// <returns>The message's length.</returns>
    public static int Seal(Keypair keypair, ulong counter, Span<byte> message, int length, int mtu)
    {
        int padding = Padding(length, mtu);
        message.Slice(TransportLayout.HeaderLength + length, padding).Clear();
        length += padding;
        BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)MessageType.Transport);
        BinaryPrimitives.WriteUInt32LittleEndian(message[TransportLayout.Receiver..], keypair.RemoteIndex);
        BinaryPrimitives.WriteUInt64LittleEndian(message[TransportLayout.Counter..], counter);
        ChaCha20Poly1305.Seal(keypair.SendKey, counter, message.Slice(TransportLayout.HeaderLength, length), default,
            message.Slice(TransportLayout.HeaderLength, length + TransportLayout.TagLength));
        return length + TransportLayout.Overhead;
    }

    /// <summary>Writes the first <see cref="TransportLayout.HeaderLength"/> bytes of a message.</summary>
    public static void WriteHeader(byte* message, Keypair keypair, ulong counter)
    {
        Unsafe.WriteUnaligned(message, (uint)MessageType.Transport);
        Unsafe.WriteUnaligned(message + TransportLayout.Receiver, keypair.RemoteIndex);
        Unsafe.WriteUnaligned(message + TransportLayout.Counter, counter);
    }

    /// <summary>Opens a message in place; the packet then stands at <see cref="TransportLayout.HeaderLength"/>.</summary>
    public static bool TryOpen(Keypair keypair, ulong counter, Span<byte> message)
    {
        Span<byte> sealedPacket = message[TransportLayout.HeaderLength..];
        return ChaCha20Poly1305.TryOpen(keypair.ReceiveKey, counter, sealedPacket, default, sealedPacket[..^TransportLayout.TagLength]);
    }
}
