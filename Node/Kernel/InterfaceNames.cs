using System.Runtime.InteropServices;
using System.Text;

namespace Mesh.Node.Kernel;

/// <summary>Interface names and indexes, as the calling thread's network namespace knows them.</summary>
internal static unsafe partial class InterfaceNames
{
    /// <summary>IFNAMSIZ: the longest name with its terminating zero.</summary>
    public const int MaxBytes = 16;

    /// <summary>The interface's name, or null when there is none of that index.</summary>
    public static string? NameOf(int index)
    {
        byte* name = stackalloc byte[MaxBytes];
        return if_indextoname((uint)index, name) == null ? null : Marshal.PtrToStringUTF8((nint)name);
    }

    /// <summary>The interface's index, or 0 when there is none of that name.</summary>
    public static int IndexOf(string name) => IsValid(name) ? (int)if_nametoindex(name) : 0;

    /// <summary>What the kernel takes as a name: 1 to 15 bytes, no slash, colon or white space, not "." or "..".</summary>
    public static bool IsValid(string name)
    {
        int bytes = Encoding.UTF8.GetByteCount(name);
        if (bytes is 0 or >= MaxBytes || name is "." or "..")
            return false;
        foreach (char c in name)
        {
            if (c is '/' or ':' or '\0' || char.IsWhiteSpace(c))
                return false;
        }
        return true;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial uint if_nametoindex(string name);

    [LibraryImport("libc")]
    private static partial byte* if_indextoname(uint index, byte* name);
}
