using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

if (args is ["crypto"])
{
    Mesh.Micro.CryptoTable.Run();
    return 0;
}

// In this process and in short iterations, so that the whole table takes about a minute. On a machine that does other work
// too, compare the Min column: the quickest iteration was disturbed least.
var job = Job.Default
    .WithToolchain(InProcessEmitToolchain.Instance)
    .WithWarmupCount(3)
    .WithIterationCount(10)
    .WithIterationTime(TimeInterval.FromMilliseconds(150));

var config = ManualConfig.Create(DefaultConfig.Instance)
    .AddJob(job)
    .AddLogicalGroupRules(BenchmarkLogicalGroupRule.ByCategory)
    .AddColumn(StatisticColumn.Min)
    .HideColumns(Column.Job, Column.Toolchain, Column.IterationCount, Column.IterationTime, Column.WarmupCount,
        Column.RatioSD, Column.Categories, Column.AllocRatio, Column.Gen0, Column.StdDev);

BenchmarkSwitcher.FromAssembly(typeof(Mesh.Micro.PacketBenchmarks).Assembly).Run(args.Length > 0 ? args : ["--filter", "*"], config);
return 0;
