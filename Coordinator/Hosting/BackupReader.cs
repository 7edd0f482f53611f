using System.Formats.Tar;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// Makes a state directory of a backup: all of it, checked, or nothing. What comes from the file is not trusted with paths,
/// modes or links, and each log is verified under the root key that the backup brings.
/// </summary>
internal static class BackupReader
{
    private const UnixFileMode DirectoryMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const long MaxManifestBytes = 16 * 1024 * 1024;

    /// <param name="directory">Not there, or empty.</param>
    /// <exception cref="CliFailure">The file is no whole backup, or the directory holds something; nothing was changed.</exception>
    public static async Task<BackupManifest> RestoreAsync(Stream backup, string directory, CancellationToken cancellation)
    {
        directory = Path.GetFullPath(directory).TrimEnd('/');
        if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
        {
            throw new CliFailure(ExitCode.Refused, $"{directory} is not empty; nothing was changed",
                "restore into a fresh directory, and move it where it belongs once the old one is out of the way");
        }
        string temporary = $"{directory}.restoring-{Guid.NewGuid():N}";
        try
        {
            Directory.CreateDirectory(temporary, DirectoryMode);
            Directory.CreateDirectory(Path.Combine(temporary, BackupFormat.NetworksName), DirectoryMode);
            var manifest = await ExtractAsync(backup, temporary, cancellation);
            Check(manifest, temporary, cancellation);
            SyncAll(temporary);
            if (Directory.Exists(directory)) Directory.Delete(directory);
            Directory.Move(temporary, directory);
            DurableFile.SyncDirectory(Path.GetDirectoryName(directory)!);
            return manifest;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or JsonException or FormatException)
        {
            throw new CliFailure(ExitCode.Refused, $"that is not a whole backup: {e.Message}; nothing was changed", "use another backup");
        }
        catch (LogStoreException e)
        {
            throw new CliFailure(ExitCode.Refused, $"a log in the backup cannot be used: {e.Message}; nothing was changed", "use another backup");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFailure(ExitCode.Refused, $"{directory} cannot be written: {e.Message}; nothing was changed", "check rights and free space");
        }
        finally
        {
            if (Directory.Exists(temporary)) Directory.Delete(temporary, recursive: true);
        }
    }

    private static async Task<BackupManifest> ExtractAsync(Stream backup, string directory, CancellationToken cancellation)
    {
        await using var tar = new TarReader(backup, leaveOpen: true);
        Dictionary<string, (long Size, string Hash)> found = [];
        while (await tar.GetNextEntryAsync(copyData: false, cancellation) is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || !BackupFormat.IsPath(entry.Name))
                throw new InvalidDataException("it holds something that no backup does");
            if (entry.Name == BackupFormat.ManifestName)
            {
                if (entry.Length > MaxManifestBytes || entry.DataStream is null) throw new InvalidDataException("its manifest is none");
                var manifest = await JsonSerializer.DeserializeAsync(entry.DataStream, BackupJson.Default.BackupManifest, cancellation)
                    ?? throw new InvalidDataException("its manifest is none");
                Compare(manifest, found);
                return manifest;
            }
            if (!found.TryAdd(entry.Name, default)) throw new InvalidDataException("it holds a file twice");
            found[entry.Name] = await WriteAsync(entry, Path.Combine(directory, entry.Name), cancellation);
        }
        throw new InvalidDataException("its end is missing");
    }

    private static async Task<(long Size, string Hash)> WriteAsync(TarEntry entry, string path, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, DirectoryMode);
        await using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        if (entry.DataStream is { } data) await data.CopyToAsync(file, cancellation);
        file.Flush(flushToDisk: true);
        file.Position = 0;
        return (file.Length, Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellation)));
    }

    private static void Compare(BackupManifest manifest, Dictionary<string, (long Size, string Hash)> found)
    {
        if (manifest.Format != BackupFormat.Version) throw new InvalidDataException($"its format is {manifest.Format}, and this version knows {BackupFormat.Version}");
        if (manifest.Files.Count != found.Count) throw new InvalidDataException("files are missing or too many");
        foreach (var file in manifest.Files)
            if (!found.TryGetValue(file.Path, out var is_) || is_ != (file.Size, file.Sha256)) throw new InvalidDataException($"{file.Path} is not what was written");
    }

    private static void Check(BackupManifest manifest, string directory, CancellationToken cancellation)
    {
        string rootPath = Path.Combine(directory, "root.crt");
        if (!File.Exists(rootPath)) throw new InvalidDataException("root.crt is missing");
        List<byte[]> roots = [];
        try
        {
            using var certificate = X509CertificateLoader.LoadCertificateFromFile(rootPath);
            roots.Add(certificate.PublicKey.ExportSubjectPublicKeyInfo());
            string past = Path.Combine(directory, Trust.PastRoots.FileName);
            if (File.Exists(past)) roots.AddRange(Trust.PastRoots.Split(File.ReadAllBytes(past)));
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException("root.crt is no certificate", e);
        }
        foreach (var network in manifest.Networks)
        {
            string log = Path.Combine(directory, BackupFormat.NetworksName, network.Name, BackupFormat.LogName);
            var verified = LogVerifier.Verify(log, roots, cancellation);
            if (!verified.IsValid || verified.End.Position != network.Position || verified.End.Hash.ToString() != network.Hash)
                throw new InvalidDataException($"the log of network {network.Name} does not verify");
        }
    }

    private static void SyncAll(string directory)
    {
        foreach (string network in Directory.GetDirectories(Path.Combine(directory, BackupFormat.NetworksName))) DurableFile.SyncDirectory(network);
        DurableFile.SyncDirectory(Path.Combine(directory, BackupFormat.NetworksName));
        DurableFile.SyncDirectory(directory);
    }
}
