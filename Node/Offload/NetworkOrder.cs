using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Mesh.Node.Offload;

/// <summary>Big-endian numbers in memory that the caller has made sure is there.</summary>
internal static unsafe class NetworkOrder
{
    public static ushort Read16(byte* at) => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ushort>(at));

    public static uint Read32(byte* at) => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<uint>(at));

    public static void Write16(byte* at, int value) => Unsafe.WriteUnaligned(at, BinaryPrimitives.ReverseEndianness((ushort)value));

    public static void Write32(byte* at, uint value) => Unsafe.WriteUnaligned(at, BinaryPrimitives.ReverseEndianness(value));
}
