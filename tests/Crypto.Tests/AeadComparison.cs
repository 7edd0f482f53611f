using System.Runtime.InteropServices;

namespace Mesh.Crypto.Tests;

/// <summary>
/// Seals and opens batches by one implementation and by the library, and asks for the same bytes, also around the packets.
/// </summary>
internal sealed unsafe class AeadComparison : IDisposable
{
    private const int MaxLength = 2048;
    private const int MaxGap = 7;

    private readonly AeadImplementation _mode;
    private readonly int _seed;
    private readonly Random _random;
    private readonly int _size;
    private readonly byte* _source;
    private readonly byte* _ours;
    private readonly byte* _theirs;
    private readonly byte[] _key = new byte[32];

    public AeadComparison(AeadImplementation mode, int seed, int capacity)
    {
        (_mode, _seed, _random) = (mode, seed, new Random(seed));
        _size = capacity * (MaxLength + 16 + MaxGap) + 64;
        _source = (byte*)NativeMemory.Alloc((nuint)_size);
        _ours = (byte*)NativeMemory.Alloc((nuint)_size);
        _theirs = (byte*)NativeMemory.Alloc((nuint)_size);
        _random.NextBytes(new Span<byte>(_source, _size));
    }

    public long Messages { get; private set; }

    /// <summary>1 to 64 packets: of any lengths, of short ones, of one length with a last shorter one, or long among short.</summary>
    public void RunRandom()
    {
        int kind = _random.Next(4), usual = _random.Next(MaxLength + 1);
        int[] lengths = new int[_random.Next(1, 65)];
        for (int i = 0; i < lengths.Length; i++)
        {
            lengths[i] = kind switch
            {
                0 => _random.Next(MaxLength + 1),
                1 => _random.Next(200),
                2 => i == lengths.Length - 1 ? _random.Next(usual + 1) : usual,
                _ => _random.Next(8) == 0 ? _random.Next(MaxLength + 1) : _random.Next(100),
            };
        }
        Run(lengths);
    }

    public void Run(int[] lengths)
    {
        _random.NextBytes(_key);
        Span<byte> source = new(_source, _size), ours = new(_ours, _size), theirs = new(_theirs, _size);
        bool inPlace = _random.Next(2) == 0;
        var packets = new AeadPacket[lengths.Length];
        var expected = new AeadPacket[lengths.Length];
        int end = _random.Next(MaxGap + 1);
        for (int i = 0; i < lengths.Length; i++)
        {
            ulong counter = (ulong)_random.NextInt64() << _random.Next(2);
            packets[i] = new(inPlace ? _ours + end : _source + end, _ours + end, lengths[i], counter);
            expected[i] = new(_theirs + end, lengths[i], counter);
            end += lengths[i] + 16 + _random.Next(MaxGap + 1);
        }
        int used = end + 64 > _size ? _size : end + 64;
        source[..used].CopyTo(ours);
        source[..used].CopyTo(theirs);
        TransportAead.Seal(_mode, _key, packets);
        TransportAead.Seal(AeadImplementation.Library, _key, expected);
        if (!ours[..used].SequenceEqual(theirs[..used])) Fail("sealed", lengths);

        for (int i = 0; i < lengths.Length; i++)
        {
            packets[i] = new(_ours + (packets[i].Destination - _ours), lengths[i] + 16, packets[i].Counter);
            expected[i].Length += 16;
        }
        int forged = _random.Next(2) == 0 ? _random.Next(lengths.Length) : -1;
        if (forged >= 0)
        {
            int at = _random.Next(packets[forged].Length);
            packets[forged].Source[at] ^= 1;
            expected[forged].Source[at] ^= 1;
        }
        int authentic = TransportAead.Open(_mode, _key, packets);
        TransportAead.Open(AeadImplementation.Library, _key, expected);
        if (authentic != lengths.Length - (forged >= 0 ? 1 : 0)) Fail("authentic", lengths);
        for (int i = 0; i < lengths.Length; i++)
            if (packets[i].IsAuthentic != expected[i].IsAuthentic) Fail($"authentic at {i}", lengths);
        if (!ours[..used].SequenceEqual(theirs[..used])) Fail("opened", lengths);
        Messages += lengths.Length;
    }

    public void Dispose()
    {
        NativeMemory.Free(_source);
        NativeMemory.Free(_ours);
        NativeMemory.Free(_theirs);
    }

    private void Fail(string what, int[] lengths) =>
        Assert.Fail($"{_mode}, seed {_seed}, message {Messages}: {what} differently; lengths {string.Join(' ', lengths)}");
}
