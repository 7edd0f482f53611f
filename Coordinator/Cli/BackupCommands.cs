using System.CommandLine;
using System.Globalization;
using Mesh.Coordinator.Hosting;

namespace Mesh.Coordinator.Cli;

/// <summary>backup, and restore, which needs no coordinator.</summary>
internal static class BackupCommands
{
    private const string RestoreHelp = """
        Makes a state directory of a backup, checked file by file and log by log. The directory must not be there, or be empty.
        Machines that have seen more than the backup holds come back with a fresh map, and the coordinator's log says so.

        Example:
          mesh-coordinator restore --input mesh.tar --state-dir /var/lib/mesh-coordinator
        """;

    public static Command Backup(Terminal terminal)
    {
        var output = new Option<string>("--output") { Description = "The file to make; must not exist", Required = true, HelpName = "FILE" };
        return AdminVerb.Create(
            "backup", "Writes all networks, logs and keys to one file of mode 0600 while the coordinator runs. Whoever has the file has the keys.",
            "backup --output mesh.tar --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, _, cancellation) =>
            {
                string path = Path.GetFullPath(line.GetRequiredValue(output));
                await WriteAsync(path, file => client.CopyAsync(Paths.Backup, file, cancellation));
                terminal.Note($"{path} is written ({new FileInfo(path).Length.ToString("N0", CultureInfo.InvariantCulture)} bytes); it holds the coordinator's keys");
                if (client.Authority is not null)
                    terminal.Note("the root key is not among them, since it leaves through the socket alone: keep a 'root export' beside it");
                return ExitCode.Ok;
            },
            output);
    }

    public static Command Restore(Terminal terminal)
    {
        var stateDir = new Option<string>("--state-dir") { Description = "The state directory to make", Required = true, HelpName = "DIR" };
        var input = new Option<string>("--input") { Description = "The backup", Required = true, HelpName = "FILE" };
        var json = CommonOptions.Json();
        var command = new Command("restore", RestoreHelp) { stateDir, input, json };
        command.SetAction((line, cancellation) => AdminVerb.GuardAsync(terminal, async () =>
        {
            string path = line.GetRequiredValue(input);
            if (!File.Exists(path)) throw new CliFailure(ExitCode.Usage, $"there is no file {path}");
            await using var file = File.OpenRead(path);
            var manifest = await BackupReader.RestoreAsync(file, line.GetRequiredValue(stateDir), cancellation);
            if (line.GetValue(json)) terminal.Json(manifest, BackupJson.Default.BackupManifest);
            else
            {
                terminal.Line($"restored the coordinator {manifest.Pin} as of {Terminal.Time(manifest.CreatedAt)}");
                foreach (var network in manifest.Networks) terminal.Line($"network {network.Name} at position {network.Position}");
                if (manifest.Files.All(file => file.Path != "root.key"))
                    terminal.Note("the root key was not in the backup: it works on, and once a year needs 'root renew --key-file' with an exported one");
            }
            return ExitCode.Ok;
        }));
        return command;
    }

    /// <summary>The whole file or none.</summary>
    private static async Task WriteAsync(string path, Func<Stream, Task> write)
    {
        string part = path + ".part";
        try
        {
            if (File.Exists(path)) throw new CliFailure(ExitCode.Usage, $"{path} is there already; nothing was written");
            await using (var file = new FileStream(part, new FileStreamOptions
            {
                Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }))
            {
                await write(file);
                file.Flush(flushToDisk: true);
            }
            File.Move(part, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFailure(ExitCode.Refused, $"{path} cannot be written: {e.Message}", "check rights and free space");
        }
        finally
        {
            File.Delete(part);
        }
    }
}
