using Mesh.Benchmarks.Tunnel;
using Mesh.EndToEnd.Lab;

try
{
    if (args is [FilterEnd.Verb, var name]) return await FilterEnd.RunAsync(name);
    if (args is ["filter", .. var filterOptions])
    {
        await new FilterBench(filterOptions).RunAsync(Console.Out, Console.Error);
        return 0;
    }
    var options = Options.Parse(args);
    var samples = new Samples(options.Samples);
    var bench = new Bench(options, samples, Console.Error);
    await bench.RunAsync();
    var report = new Report(samples, options.Contenders);
    Console.WriteLine(options.Json ? report.Json() : report.Table());
    if (bench.WorstForeign > 0.2)
        Console.Error.WriteLine($"Other processes used up to {bench.WorstForeign:0.0} cores meanwhile: the figures are worth less for it.");
    if (options.Write) report.WriteInto(Path.Combine(Repository.Root, "benchmarks", "Tunnel", "README.md"));
    return bench.Failed == 0 ? 0 : 1;
}
catch (UsageException e)
{
    Console.Error.WriteLine($"{e.Message}. See scripts/bench-tunnel --help.");
    return 2;
}
catch (Exception e) when (e is InvalidOperationException or TimeoutException or IOException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
