using System.Runtime.InteropServices;

namespace Mesh.Node.Kernel;

/// <summary>Memory outside the collected heap, page-aligned, of a size fixed at the start.</summary>
internal sealed unsafe class NativeBuffer(int bytes) : IDisposable
{
    ~NativeBuffer() => Free();

    public byte* Address { get; private set; } = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 4096);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(Address);
        Address = null;
    }
}
