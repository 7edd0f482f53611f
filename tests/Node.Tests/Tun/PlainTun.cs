using Mesh.Node.Kernel;
using Mesh.Node.Tun;

namespace Mesh.Node.Tests.Tun;

/// <summary>Whole packets to and from a device without offloads.</summary>
internal static unsafe class PlainTun
{
    public static int Read(this ITunQueue tun, Span<byte> packet) => tun.Read(packet, out _);

    public static bool Write(this ITunQueue tun, ReadOnlySpan<byte> packet)
    {
        fixed (byte* data = packet)
        {
            IoVec* parts = stackalloc IoVec[2];
            parts[1] = new IoVec { Base = data, Length = (nuint)packet.Length };
            return tun.Write(default, new Span<IoVec>(parts, 2)) == TunWriteResult.Taken;
        }
    }
}
