using System.Runtime.InteropServices;
using System.Text;

namespace Mesh.Node.Kernel;

/// <summary>struct ifreq: an interface name and one value, for the interface ioctls.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal unsafe struct InterfaceRequest
{
    [FieldOffset(0)]
    private fixed byte _name[InterfaceNames.MaxBytes];

    /// <summary>ifr_flags.</summary>
    [FieldOffset(16)]
    public short Flags;

    /// <summary>ifr_mtu.</summary>
    [FieldOffset(16)]
    public int Mtu;

    /// <summary>ifr_qlen, in packets.</summary>
    [FieldOffset(16)]
    public int QueueLength;

    /// <summary>Gets or sets the name; at most 15 bytes of UTF-8.</summary>
    public string Name
    {
        get
        {
            fixed (byte* name = _name)
                return Marshal.PtrToStringUTF8((nint)name) ?? "";
        }
        set
        {
            fixed (byte* name = _name)
            {
                var bytes = new Span<byte>(name, InterfaceNames.MaxBytes);
                bytes.Clear();
                Encoding.UTF8.GetBytes(value, bytes[..^1]);
            }
        }
    }
}
