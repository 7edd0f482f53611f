using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Mesh.Coordinator.Log;

/// <summary>
/// Names one intent: a command that arrives again under the same key answers with what the first one did. 16 bytes, kept in
/// the event's header; zero says that the command has none.
/// </summary>
public readonly record struct IdempotencyKey
{
    public const int Length = 16;

    private readonly UInt128 _value;

    public IdempotencyKey(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        _value = BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    public static IdempotencyKey None => default;

    public bool IsNone => _value == UInt128.Zero;

    public static IdempotencyKey New()
    {
        Span<byte> bytes = stackalloc byte[Length];
        RandomNumberGenerator.Fill(bytes);
        return new IdempotencyKey(bytes);
    }

    /// <summary>
    /// The key for what a client sent as its Idempotency-Key. The scope keeps clients and verbs apart (for instance
    /// "keys.create/uid 1000"), so that nobody is answered with another's result.
    /// </summary>
    public static IdempotencyKey From(string scope, string clientKey)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{scope.Length}:{scope}{clientKey}"));
        return new IdempotencyKey(hash.AsSpan(0, Length));
    }

    public void CopyTo(Span<byte> destination) => BinaryPrimitives.WriteUInt128BigEndian(destination, _value);

    public override string ToString() => _value.ToString("x32");
}
