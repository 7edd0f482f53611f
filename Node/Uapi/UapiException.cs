namespace Mesh.Node.Uapi;

/// <summary>A request that cannot be done, with the errno that answers it.</summary>
internal sealed class UapiException(int errno, string message) : Exception(message)
{
    public int Errno { get; } = errno;
}
