using System.Buffers.Binary;
using System.Security.Cryptography;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Network;
using Mesh.Crypto;

namespace Mesh.Coordinator.Registration;

/// <summary>
/// What a person reads off a waiting machine and an administrator types: 8 characters of an alphabet without look-alikes,
/// shown as XXXX-XXXX. 30^8, some 39 bits: nobody makes a machine key in time whose code is that of another machine. A code follows
/// from the keys, the day and a secret of the coordinator's, so that a restart does not void what somebody is reading out.
/// </summary>
internal static class ApprovalCode
{
    private const string Alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ";
    private const int Chars = 8;
    private static readonly byte[] Label = "mesh approval code v1"u8.ToArray();

    /// <param name="day">Days since 1970 at which the machine began to wait.</param>
    /// <param name="attempt">Counts up when another machine has the code already.</param>
    public static string Make(byte[] secret, NetworkId network, MachineKey machine, X25519PublicKey nodeKey, long day, byte attempt)
    {
        Span<byte> number = stackalloc byte[sizeof(long) + 1];
        BinaryPrimitives.WriteInt64BigEndian(number, day);
        number[^1] = attempt;
        byte[] message = [.. Label, .. network.ToArray(), .. machine.Id.ToArray(), .. nodeKey.AsSpan(), .. number];
        byte[] mac = HMACSHA256.HashData(secret, message);
        ulong rest = BinaryPrimitives.ReadUInt64BigEndian(mac);
        Span<char> code = stackalloc char[Chars + 1];
        for (int i = 0; i <= Chars; i++)
        {
            if (i == Chars / 2)
            {
                code[i] = '-';
                continue;
            }
            code[i] = Alphabet[(int)(rest % (ulong)Alphabet.Length)];
            rest /= (ulong)Alphabet.Length;
        }
        return new string(code);
    }

    /// <summary>The code as <see cref="Make"/> writes it; null for what is none. Case, dashes and spaces do not matter.</summary>
    public static string? Parse(string text)
    {
        string bare = string.Concat(text.Take(64).Where(c => c is not ('-' or ' '))).ToUpperInvariant();
        return bare.Length == Chars && bare.All(c => Alphabet.Contains(c, StringComparison.Ordinal)) ? $"{bare[..(Chars / 2)]}-{bare[(Chars / 2)..]}" : null;
    }
}
