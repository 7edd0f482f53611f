using Google.Protobuf;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Presence.Memory;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Presence;

/// <summary>
/// Keeps a network's presence in a file beside its log: every five minutes, and at an orderly end. The file is sealed under the
/// network's data key, since it says where people are. It is a convenience: one that is missing, old, damaged or of another
/// version only makes the first deltas larger. Owns the sealer.
/// <code>
/// the last life ended      epoch     who was online         a resuming node is sent
/// in order                 goes on   counts as online, has  what changed
/// any other way            is new    two minutes to return  the presence of all that it sees
/// </code>
/// </summary>
public sealed partial class PresenceKeeper : IDisposable
{
    public static readonly TimeSpan SaveInterval = TimeSpan.FromMinutes(5);

    /// <summary>How long nodes that were online have to come back: the longest wait of their backoff, and as much again.</summary>
    public static readonly TimeSpan SettlingTime = TimeSpan.FromMinutes(2);

    private readonly string _path;
    private readonly PayloadSealer _sealer;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _saving = new();
    private ITimer? _saveTimer;
    private ITimer? _settleTimer;
    private bool _ended;

    internal PresenceKeeper(string path, PayloadSealer sealer, TimeProvider time, ILogger logger)
    {
        (_path, _sealer, _time, _logger) = (path, sealer, time, logger);
        var memory = Read();
        if (memory is { IsLastWord: true })
        {
            // Two lives must never both go on from one last word.
            var spoken = memory.Clone();
            spoken.IsLastWord = false;
            if (!Write(spoken))
                memory = spoken;
        }

        Presence = new NetworkPresence(time, memory);
    }

    public NetworkPresence Presence { get; }

    /// <summary>Begins to save, once it is known which nodes there are.</summary>
    public void Start(Func<ulong, bool> exists)
    {
        Presence.Prune(exists);
        _saveTimer = _time.CreateTimer(_ => Save(), null, SaveInterval, SaveInterval);
        _settleTimer = _time.CreateTimer(_ => Presence.Settle(), null, SettlingTime, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Ends all change of the presence and saves it, so that the next life goes on from there.</summary>
    public void SaveLastWord()
    {
        lock (_saving)
        {
            if (_ended)
                return;
            _ended = true;
            Write(Presence.Save(freeze: true));
        }
    }

    /// <summary>Lets go of the file as it is.</summary>
    public void Dispose()
    {
        _saveTimer?.Dispose();
        _settleTimer?.Dispose();
        lock (_saving)
        {
            _ended = true;
            _sealer.Dispose();
        }
    }

    private void Save()
    {
        lock (_saving)
        {
            if (!_ended)
                Write(Presence.Save());
        }
    }

    private PresenceMemory? Read()
    {
        try
        {
            if (!File.Exists(_path))
                return null;
            var memory = _sealer.Open(0, SignedSnapshot.SealingKind, File.ReadAllBytes(_path)) is { } bytes ? PresenceMemory.Parser.ParseFrom(bytes) : null;
            if (memory is { Format: NetworkPresence.MemoryFormat } && memory.Nodes.All(IsSound))
                return memory;
            MemoryUnusable(_logger, _path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidProtocolBufferException)
        {
            MemoryUnusable(_logger, _path);
        }

        return null;
    }

    private static bool IsSound(NodeMemory node) =>
        node.LastSeenMs is >= 0 and < 253_402_300_800_000 && node.Endpoints.All(endpoint => endpoint.Address.Length is 4 or 16 && endpoint.Port <= ushort.MaxValue);

    private bool Write(PresenceMemory memory)
    {
        var temporary = _path + ".new";
        try
        {
            File.Delete(temporary);
            DurableFile.Create(temporary, _sealer.Seal(0, SignedSnapshot.SealingKind, memory.ToByteArray()));
            File.Move(temporary, _path, overwrite: true);
            DurableFile.SyncDirectory(Path.GetDirectoryName(_path)!);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            NotSaved(_logger, _path, e.Message);
            return false;
        }
    }

    [LoggerMessage(EventId = 2201, Level = LogLevel.Warning, Message = "What was remembered of who is where ({Path}) is damaged or of another version; it is begun anew")]
    private static partial void MemoryUnusable(ILogger logger, string path);

    [LoggerMessage(EventId = 2202, Level = LogLevel.Warning, Message = "Who is where could not be saved to {Path}; nothing else depends on it: {Reason}")]
    private static partial void NotSaved(ILogger logger, string path, string reason);
}
