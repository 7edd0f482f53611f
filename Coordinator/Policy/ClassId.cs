using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Mesh.Coordinator.Policy;

/// <summary>
/// Names a class by its meaning: the first 64 bits of SHA-256 over it. So an id needs no table that would have to be kept, comes
/// out the same after a restart, from a snapshot or from an erased log, and can neither be used again nor change its meaning. A
/// policy that is changed leaves the ids of all classes that mean the same as before.
/// </summary>
public readonly record struct ClassId(ulong Value)
{
    /// <summary>No class: grants nothing.</summary>
    public static readonly ClassId None;

    /// <param name="meaning">
    /// Which selectors of a policy hold the class's nodes (tags, groups, users, roles, addresses), as canonical text: the same
    /// whatever else the policy says, and another for each other set of selectors.
    /// </param>
    public static ClassId Of(string meaning)
    {
        ArgumentNullException.ThrowIfNull(meaning);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes("mesh class v1\n" + meaning), hash);
        return new ClassId(BinaryPrimitives.ReadUInt64LittleEndian(hash));
    }

    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}
