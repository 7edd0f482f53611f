using System.Globalization;
using System.Text.Json.Nodes;
using Mesh.Benchmarks.Coordinator;

const int Seed = 20_261_127;
int[] sizes = [1_000, 10_000, 100_000];
int[] rules = [10, 50, 200, 500];
bool json = false;
for (int i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--json": json = true; break;
        case "--nodes" when i + 1 < args.Length && Numbers(args[++i], 1_000, 100_000) is { } given: sizes = given; break;
        case "--rules" when i + 1 < args.Length && Numbers(args[++i], 1, 500) is { } given: rules = given; break;
        default:
            Console.Error.WriteLine("Usage: bench-coordinator [--nodes N,...] [--rules N,...] [--json]: 1,000 to 100,000 nodes, 1 to 500 rules.");
            return 2;
    }
}

var all = new JsonArray();
foreach (bool self in (bool[])[false, true])
{
    foreach (int count in rules)
    {
        foreach (int nodes in sizes)
        {
            var measurement = new Measurement(new Workload(nodes, count, self, Seed));
            Figure[] figures = [.. measurement.Run()];
            all.Add(ToJson(measurement, figures));
            if (!json) Print(measurement, figures);
        }
    }
}
var marking = new JsonArray();
if (!json)
{
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nA machine joins; of {Marking.Polls:N0} open polls must hear of it:\n\n| nodes | who | with | told | median | p99 | most | allocated |"));
    Console.WriteLine("| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |");
}
foreach (int nodes in sizes)
{
    foreach (var marked in await Marking.RunAsync(nodes))
    {
        marking.Add(new JsonObject
        {
            ["nodes"] = nodes, ["who"] = marked.Who, ["with"] = marked.Fold, ["told"] = marked.Told, ["unit"] = "us", ["ours"] = Round(marked.Median), ["p99"] = Round(marked.P99),
            ["most"] = Round(marked.Most), ["oursAllocatedBytes"] = Round(marked.Bytes),
        });
        if (!json)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {nodes:N0} | {marked.Who} | {marked.Fold} | {marked.Told} | {Number(marked.Median)} us | {Number(marked.P99)} us | {Number(marked.Most)} us | {Number(marked.Bytes / 1024)} kB |"));
        }
    }
}
if (json) Console.WriteLine(new JsonObject { ["seed"] = Seed, ["measurements"] = all, ["marking"] = marking }.ToJsonString());
return 0;

static void Print(Measurement measurement, Figure[] figures)
{
    var work = measurement.Work;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"\n{work.Nodes:N0} nodes, {work.RuleCount} rules{(work.Self ? ", autogroup:self" : "")}: {measurement.Classes} classes, {measurement.Rules:N0} rules in all filters\n"));
    Console.WriteLine("|                                |        ours |   allocated |    pairwise |   ratio |\n| ------------------------------ | ----------: | ----------: | ----------: | ------: |");
    foreach (var figure in figures)
    {
        string naive = figure.Naive is { } other ? $"{Number(figure.InUnit(other))} {figure.Unit}" : "";
        string ratio = figure.Naive is { } divisor ? (figure.Ours.Microseconds / divisor.Microseconds).ToString("0.0######", CultureInfo.InvariantCulture) : "";
        string allocated = figure.Unit == "B" ? "" : $"{Number(figure.Ours.Bytes / 1024)} kB";
        Console.WriteLine($"| {figure.Name,-30} | {Number(figure.InUnit(figure.Ours)) + " " + figure.Unit,11} | {allocated,11} | {naive,11} | {ratio,7} |");
    }
}

static JsonObject ToJson(Measurement measurement, Figure[] figures)
{
    var measured = new JsonObject();
    foreach (var figure in figures)
    {
        var one = new JsonObject { ["unit"] = figure.Unit, ["ours"] = Round(figure.InUnit(figure.Ours)) };
        if (figure.Unit != "B") one["oursAllocatedBytes"] = Round(figure.Ours.Bytes);
        if (figure.Naive is { } other)
        {
            one["pairwise"] = Round(figure.InUnit(other));
            if (figure.Unit != "B") one["pairwiseAllocatedBytes"] = Round(other.Bytes);
            one["ratio"] = Math.Round(figure.Ours.Microseconds / other.Microseconds, 7);
        }
        measured[figure.Name] = one;
    }
    var work = measurement.Work;
    return new JsonObject
    {
        ["nodes"] = work.Nodes, ["rules"] = work.RuleCount, ["self"] = work.Self, ["classes"] = measurement.Classes, ["rulesOfFilters"] = measurement.Rules,
        ["figures"] = measured,
    };
}

static JsonValue Round(double value) => JsonValue.Create(Math.Round(value, 2));

static string Number(double value) => value.ToString(value < 100 ? "0.0#" : "#,0", CultureInfo.InvariantCulture);

static int[]? Numbers(string text, int least, int most)
{
    int[] numbers = [.. text.Split(',').Select(one => int.TryParse(one, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0)];
    return numbers.All(number => number >= least && number <= most) ? numbers : null;
}
