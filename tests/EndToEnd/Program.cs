using System.Diagnostics;
using Xunit.Runner.InProc.SystemConsole;

// Everything here makes network namespaces, so it runs in scripts/sandbox: started without, it starts itself there.
if (Environment.GetEnvironmentVariable("MESH_SANDBOX") is null)
{
    var sandbox = Path.Combine(Mesh.EndToEnd.Lab.Repository.Root, "scripts", "sandbox");
    using var inside = Process.Start(sandbox, [Environment.ProcessPath!, .. args]);
    await inside.WaitForExitAsync();
    return inside.ExitCode;
}

if (args is ["demo", .. var options])
    return await Mesh.EndToEnd.Demo.DemoRun.MainAsync(options);

return await ConsoleRunner.Run(args);
