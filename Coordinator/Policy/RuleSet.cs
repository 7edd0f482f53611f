namespace Mesh.Coordinator.Policy;

/// <summary>Some of a program's rules, a bit for each. Written only while it is made.</summary>
internal sealed class RuleSet(int rules)
{
    private readonly ulong[] _words = new ulong[(rules + 63) / 64];

    public bool Contains(int rule) => (_words[rule >> 6] >> (rule & 63) & 1) != 0;

    public void Add(int rule) => _words[rule >> 6] |= 1UL << (rule & 63);

    /// <param name="other">Of the same program.</param>
    public bool Overlaps(RuleSet other)
    {
        for (int i = 0; i < _words.Length; i++)
            if ((_words[i] & other._words[i]) != 0) return true;
        return false;
    }
}
