namespace Mesh.Benchmarks.Tunnel;

/// <summary>What the command line asks for.</summary>
/// <param name="Runs">How often every test is run; the table shows medians.</param>
/// <param name="Tests">Names of <see cref="TestPlan"/>, in order.</param>
/// <param name="Contenders">Keys of <see cref="Contender"/>, in order.</param>
/// <param name="Samples">A file that measurements are added to, and read from for the report; null for none.</param>
internal sealed record Options(
    bool Json, bool Write, bool Long, int Runs, IReadOnlyList<string> Tests, IReadOnlyList<Contender> Contenders, string? Samples)
{
    /// <exception cref="UsageException">The command line is not understood.</exception>
    public static Options Parse(string[] arguments)
    {
        bool json = false, write = false, longRun = false;
        int? runs = null;
        string? samples = null;
        IReadOnlyList<string> tests = TestPlan.Names;
        IReadOnlyList<Contender> contenders = Contender.All();
        for (int i = 0; i < arguments.Length; i++)
        {
            string Value() => ++i < arguments.Length ? arguments[i] : throw new UsageException($"{arguments[i - 1]} needs a value");
            switch (arguments[i])
            {
                case "--json": json = true; break;
                case "--write": write = true; break;
                case "--long": longRun = true; break;
                case "--runs":
                    runs = int.TryParse(Value(), out int number) && number is >= 0 and <= 100
                        ? number
                        : throw new UsageException("--runs takes a number from 0 to 100");
                    break;
                case "--tests": tests = Pick(Value(), TestPlan.Names, name => name, "test"); break;
                case "--with": contenders = Pick(Value(), contenders, contender => contender.Key, "contender"); break;
                case "--samples": samples = Value(); break;
                default: throw new UsageException($"{arguments[i]} is not an option");
            }
        }
        return new Options(json, write, longRun, runs ?? (longRun ? 5 : 3), tests, contenders, samples);
    }

    private static List<T> Pick<T>(string names, IReadOnlyList<T> all, Func<T, string> nameOf, string what) =>
        [.. names.Split(',').Select(name => all.FirstOrDefault(one => nameOf(one) == name)
            ?? throw new UsageException($"there is no {what} {name}; there are {string.Join(", ", all.Select(nameOf))}"))];
}

/// <summary>What is wrong with the command line.</summary>
internal sealed class UsageException(string message) : Exception(message);
