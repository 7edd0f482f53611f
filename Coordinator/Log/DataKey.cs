using System.Security.Cryptography;

namespace Mesh.Coordinator.Log;

/// <summary>A network's data key: 32 bytes that seal its payloads. Kept in a file beside the store, never in it.</summary>
public sealed class DataKey : IDisposable
{
    public const int Length = 32;

    private readonly byte[] _bytes;

    /// <param name="bytes">Copied; the caller zeroes its own.</param>
    public DataKey(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        _bytes = GC.AllocateUninitializedArray<byte>(Length, pinned: true); // Pinned: the collector leaves no copies behind.
        bytes.CopyTo(_bytes);
    }

    internal ReadOnlySpan<byte> Bytes => _bytes;

    public static DataKey New()
    {
        Span<byte> bytes = stackalloc byte[Length];
        RandomNumberGenerator.Fill(bytes);
        var key = new DataKey(bytes);
        CryptographicOperations.ZeroMemory(bytes);
        return key;
    }

    public void Dispose() => CryptographicOperations.ZeroMemory(_bytes);
}
