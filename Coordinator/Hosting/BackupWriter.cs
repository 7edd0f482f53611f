using System.Buffers.Text;
using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text.Json;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Trust;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// Writes a backup while everything goes on. Each log is copied as it stands at one moment, first to a file in the state
/// directory, so that a slow reader holds no log open.
/// </summary>
internal sealed class BackupWriter(StateDirectory state, NetworkSet networks, CoordinatorKeys keys, TimeProvider clock)
{
    private const string TemporaryPrefix = ".backup-";
    private const UnixFileMode FileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Clears away what a crash left.</summary>
    public static void ClearLeftovers(StateDirectory state)
    {
        foreach (string left in Directory.GetDirectories(state.Path, TemporaryPrefix + "*")) Directory.Delete(left, recursive: true);
    }

    /// <param name="withRootKey">Without it, whoever restores has the root key elsewhere or does without.</param>
    /// <exception cref="LogStoreException">A log could not be copied, or the disk is full.</exception>
    public async Task WriteAsync(Stream output, bool withRootKey, CancellationToken cancellation)
    {
        string temporary = Path.Combine(state.Path, TemporaryPrefix + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(temporary, FileMode | UnixFileMode.UserExecute);
        try
        {
            await using var tar = new TarWriter(output, TarEntryFormat.Pax, leaveOpen: true);
            List<BackupFile> files = [];
            List<BackupNetwork> told = [];
            foreach (string file in Directory.EnumerateFiles(state.Path).Order(StringComparer.Ordinal))
            {
                string name = Path.GetFileName(file);
                if (BackupFormat.IsKept(name) && (withRootKey || name is not ("root.key" or "next-root.key")))
                    files.Add(await AddAsync(tar, name, await File.ReadAllBytesAsync(file, cancellation), cancellation));
            }
            files.Add(await AddAsync(tar, $"{BackupFormat.NetworksName}/.used", [], cancellation));
            foreach (var network in networks.All)
            {
                string name = network.Runtime.Name, directory = $"{BackupFormat.NetworksName}/{name}";
                string copy = Path.Combine(temporary, name);
                await Task.Run(() => SqliteEventStore.CopyTo(networks.Directory.LogPath(name), copy), cancellation);
                var end = SqliteEventStore.ReadEnd(copy);
                told.Add(new BackupNetwork(name, network.Runtime.Id.ToString(), end.Position, end.Hash.ToString()));
                files.Add(await AddAsync(tar, $"{directory}/{BackupFormat.LogName}", copy, cancellation));
                File.Delete(copy);
                byte[] dataKey = await File.ReadAllBytesAsync(networks.Directory.DataKeyPath(name), cancellation);
                files.Add(await AddAsync(tar, $"{directory}/data.key", dataKey, cancellation));
                CryptographicOperations.ZeroMemory(dataKey);
            }
            var manifest = new BackupManifest(
                BackupFormat.Version, AdminQueries.Version, clock.GetUtcNow(), Base64Url.EncodeToString(keys.Pin.Span), files, told);
            await AddAsync(tar, BackupFormat.ManifestName, JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Default.BackupManifest), cancellation);
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
    }

    private async Task<BackupFile> AddAsync(TarWriter tar, string path, byte[] bytes, CancellationToken cancellation)
    {
        using var stream = new MemoryStream(bytes, writable: false);
        await tar.WriteEntryAsync(Entry(path, stream), cancellation);
        return new BackupFile(path, bytes.Length, Convert.ToHexStringLower(SHA256.HashData(bytes)));
    }

    private async Task<BackupFile> AddAsync(TarWriter tar, string path, string file, CancellationToken cancellation)
    {
        await using var stream = File.OpenRead(file);
        string hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation));
        stream.Position = 0;
        await tar.WriteEntryAsync(Entry(path, stream), cancellation);
        return new BackupFile(path, stream.Length, hash);
    }

    private PaxTarEntry Entry(string path, Stream data) =>
        new(TarEntryType.RegularFile, path) { DataStream = data, Mode = FileMode, ModificationTime = clock.GetUtcNow() };
}
