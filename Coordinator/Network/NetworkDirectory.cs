using System.Security.Cryptography;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Presence;
using Mesh.Protocol;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Network;

/// <summary>
/// Where networks are kept: a directory each, of mode 0700, with <c>log.db</c> (the log) and <c>data.key</c> (what opens its
/// payloads; back it up apart from the log, or not at all, by what the backup may reveal), and <c>presence.bin</c> (what was last
/// known of who is where; of no consequence). A network is made under a
/// temporary name and renamed when it is whole, so that a crash leaves all of it or nothing.
/// </summary>
public sealed class NetworkDirectory(string networks, ILogSigner signer, TimeProvider time, ILogger logger)
{
    private const string LogName = "log.db";
    private const string DataKeyName = "data.key";
    private const string PresenceName = "presence.bin";

    /// <summary>No network's name begins with a dot.</summary>
    private const string TemporaryPrefix = ".new-";

    /// <summary>Of networks that are being removed.</summary>
    private const string RemovedPrefix = ".gone-";

    /// <summary>Says that this coordinator has had a network, so that it is not given its first one again.</summary>
    private const string UsedMarker = ".used";

    public string LogPath(string name) => Path.Combine(DirectoryOf(name), LogName);

    public string DataKeyPath(string name) => Path.Combine(DirectoryOf(name), DataKeyName);

    public bool Exists(string name) => Directory.Exists(DirectoryOf(name));

    /// <summary>False until <see cref="MarkUsed"/>, for ever.</summary>
    public bool IsUsed => File.Exists(Path.Combine(networks, UsedMarker));

    public void MarkUsed()
    {
        if (IsUsed)
            return;
        SqliteFaults.Translate(networks, () => DurableFile.Create(Path.Combine(networks, UsedMarker), []));
        DurableFile.SyncDirectory(networks);
    }

    /// <summary>
    /// The names of the networks that are there, sorted. Clears away what a crash left of one that was being made or removed.
    /// </summary>
    public IReadOnlyList<string> List()
    {
        Directory.CreateDirectory(networks, DurableFile.DirectoryMode);
        foreach (var prefix in new[] { TemporaryPrefix, RemovedPrefix })
            foreach (var left in Directory.GetDirectories(networks, prefix + "*"))
                Directory.Delete(left, recursive: true);
        return [.. Directory.GetDirectories(networks).Select(path => Path.GetFileName(path))
            .Where(name => NetworkName.IsValid(name)).Order(StringComparer.Ordinal)];
    }

    /// <summary>Makes a network. False when there is one of that name.</summary>
    /// <exception cref="LogStoreException">It could not be stored; nothing is left of it.</exception>
    public async Task<bool> CreateAsync(string name, AddressPlan addresses, Actor actor, IdempotencyKey key)
    {
        var final = DirectoryOf(name);
        if (Directory.Exists(final))
            return false;
        var temporary = Path.Combine(networks, TemporaryPrefix + Guid.NewGuid().ToString("N"));
        try
        {
            Directory.CreateDirectory(networks, DurableFile.DirectoryMode);
            Directory.CreateDirectory(temporary, DurableFile.DirectoryMode);
            using (var dataKey = DataKey.New())
                DurableFile.Create(Path.Combine(temporary, DataKeyName), dataKey.Bytes);
            SqliteEventStore.Create(Path.Combine(temporary, LogName), NetworkId.New());
            await using (var log = OpenLog(temporary))
                await NetworkRuntime.CreateAsync(log, name, addresses, actor, key, time).ConfigureAwait(false);
            DurableFile.SyncDirectory(temporary);
            Directory.Move(temporary, final);
            DurableFile.SyncDirectory(networks);
            return true;
        }
        catch (UnauthorizedAccessException e)
        {
            throw SqliteFaults.AccessDenied(networks, e);
        }
        catch (IOException e)
        {
            throw SqliteFaults.Translate(networks, e);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>Opens a network that is there. Throws <see cref="LogStoreException"/>.</summary>
    /// <param name="presence">With what is remembered of an earlier life; a fresh one by default.</param>
    public Task<NetworkRuntime> OpenAsync(string name, NetworkPresence? presence = null) =>
        NetworkRuntime.OpenAsync(OpenLog(DirectoryOf(name)), time, logger, presence: presence);

    /// <summary>Opens what is remembered of a network's presence, if anything is. Throws <see cref="LogStoreException"/> for its data key.</summary>
    public PresenceKeeper OpenPresence(string name)
    {
        var directory = DirectoryOf(name);
        var sealer = new PayloadSealer(SqliteEventStore.ReadNetwork(Path.Combine(directory, LogName)), ReadDataKey(Path.Combine(directory, DataKeyName)));
        return new PresenceKeeper(Path.Combine(directory, PresenceName), sealer, time, logger);
    }

    /// <summary>Removes a network that is closed, its data key first: what a failing disk keeps of the rest says nothing.</summary>
    /// <exception cref="LogStoreException">It could not be removed, or not wholly; the next <see cref="List"/> goes on.</exception>
    public void Remove(string name)
    {
        var path = DirectoryOf(name);
        var removed = Path.Combine(networks, RemovedPrefix + Guid.NewGuid().ToString("N"));
        SqliteFaults.Translate(path, () =>
        {
            Directory.Move(path, removed);
            DurableFile.SyncDirectory(networks);
            File.Delete(Path.Combine(removed, DataKeyName));
            Directory.Delete(removed, recursive: true);
            DurableFile.SyncDirectory(networks);
        });
    }

    private string DirectoryOf(string name) => NetworkName.IsValid(name)
        ? Path.Combine(networks, name)
        : throw new ArgumentException("Not a network name.", nameof(name));

    private EventLog OpenLog(string directory)
    {
        var store = SqliteEventStore.Open(Path.Combine(directory, LogName), time);
        try
        {
            return new EventLog(store, new PayloadSealer(store.Network, ReadDataKey(Path.Combine(directory, DataKeyName))), signer);
        }
        catch
        {
            store.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw;
        }
    }

    private static DataKey ReadDataKey(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LogStoreException(
                LogStoreFault.DataKey, $"The data key {path} can't be read: put it back from a backup. ({e.Message})", e);
        }

        try
        {
            return bytes.Length == DataKey.Length
                ? new DataKey(bytes)
                : throw new LogStoreException(
                    LogStoreFault.DataKey, $"The data key {path} has not {DataKey.Length} bytes. Put it back from a backup.");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
