using Mesh.Coordinator.Cli;

try
{
    return await CommandLine.RunAsync(args, Terminal.OfProcess());
}
catch (Exception e)
{
    await Console.Error.WriteLineAsync($"mesh-coordinator: a fault of ours, please report it: {e}");
    return ExitCode.Fault;
}
