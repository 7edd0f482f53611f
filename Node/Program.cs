using Mesh.Node.Cli;

return await MeshCommand.RunAsync(args, CommandStreams.OfConsole);
