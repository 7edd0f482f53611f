using System.Buffers.Binary;
using System.Text;

namespace Mesh.Fuzz;

/// <summary>Changes inputs: bits, numbers at their edges, parts cut, doubled, moved, taken from other inputs or from a list of words.</summary>
internal sealed class Mutator(Random random, IReadOnlyList<byte[]> corpus, params string[] words)
{
    private const int LongestInput = 8 * 1024;
    private const string OddChars = "٣％：。İ\u200b\u202e\u0000\ud800é\u00a0⁶";
    private static readonly ulong[] Edges =
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 19, 20, 21, 31, 32, 33, 39, 40, 41, 63, 64, 65, 127, 128, 129, 255, 256, 1279, 1280, 1419, 1420, 1500,
         32767, 32768, 65507, 65534, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, ulong.MaxValue - (1 << 13), ulong.MaxValue - (1 << 13) - 1,
         1UL << 60, (1UL << 60) - 1, long.MaxValue, 1UL << 63, ulong.MaxValue];

    private readonly byte[][] _words = [.. words.Select(Encoding.UTF8.GetBytes)];

    /// <summary>One of the corpus, as it is.</summary>
    public byte[] Pick() => corpus[random.Next(corpus.Count)];

    /// <summary>One of the corpus after one to six changes.</summary>
    public byte[] Next() => Change(Pick());

    public byte[] Change(ReadOnlySpan<byte> input)
    {
        List<byte> bytes = [.. input];
        for (int left = random.Next(1, 7); left > 0; left--) ChangeOnce(bytes);
        return bytes.Count <= LongestInput ? [.. bytes] : [.. bytes.Take(LongestInput)];
    }

    public string NextText() => ChangeText(Encoding.UTF8.GetString(Pick()));

    public string ChangeText(string text)
    {
        string changed = Encoding.UTF8.GetString(Change(Encoding.UTF8.GetBytes(text)));
        if (random.Next(8) != 0) return changed;
        return changed.Insert(random.Next(changed.Length + 1), OddChars[random.Next(OddChars.Length)].ToString());
    }

    public static ulong Edge(Random random) => random.Next(4) == 0 ? (ulong)random.NextInt64() : Edges[random.Next(Edges.Length)];

    private void ChangeOnce(List<byte> bytes)
    {
        int at = random.Next(bytes.Count + 1), length = Math.Min(random.Next(1, random.Next(2) == 0 ? 4 : 32), bytes.Count - at);
        switch (random.Next(12))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                WriteNumber(bytes, at);
                break;
            case 3:
                bytes.RemoveRange(at, length);
                break;
            case 4:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 5:
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case 6:
                byte[] noise = new byte[random.Next(1, random.Next(8) == 0 ? 600 : 8)];
                if (random.Next(2) == 0) random.NextBytes(noise);
                else Array.Fill(noise, (byte)random.Next(256));
                bytes.InsertRange(at, noise);
                break;
            case 7:
                byte[] other = Pick();
                int from = random.Next(other.Length + 1);
                bytes.InsertRange(at, other.AsSpan(from, random.Next(other.Length - from + 1)).ToArray());
                break;
            case 8 or 9 when _words.Length > 0:
                bytes.RemoveRange(at, random.Next(2) * length);
                bytes.InsertRange(at, _words[random.Next(_words.Length)]);
                break;
            case 10 when at < bytes.Count && bytes[at] is >= (byte)'0' and <= (byte)'9':
                bytes[at] = (byte)('0' + random.Next(10));
                break;
            case 11:
                bytes.InsertRange(at, Encoding.UTF8.GetBytes(Edge(random).ToString(System.Globalization.CultureInfo.InvariantCulture)));
                break;
        }
    }

    private void WriteNumber(List<byte> bytes, int at)
    {
        Span<byte> number = stackalloc byte[8];
        int size = 1 << random.Next(4);
        if (random.Next(2) == 0) BinaryPrimitives.WriteUInt64LittleEndian(number, Edge(random));
        else BinaryPrimitives.WriteUInt64BigEndian(number, Edge(random) << (64 - 8 * size));
        for (int i = 0; i < size && at + i < bytes.Count; i++) bytes[at + i] = number[i];
    }
}
