using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// The admin tokens of a coordinator, in one file of its state directory: a line with the SHA-256 of the rest, and JSON. The
/// file is replaced as a whole; a change counts, and is answered, once it is on disk. Thread-safe.
/// </summary>
internal sealed partial class AdminTokens
{
    public const string FileName = "admin-tokens";

    /// <summary>Usable at once: every one is compared with every request's.</summary>
    public const int MaxUsable = 256;

    /// <summary>Kept in all. Beyond it the oldest that ended is forgotten; the log then names it by number alone.</summary>
    public const int MaxKept = 4096;

    public static readonly TimeSpan DefaultLifetime = TimeSpan.FromDays(90);
    public static readonly TimeSpan MaxLifetime = TimeSpan.FromDays(3650);

    private readonly StateDirectory _state;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Lock _changing = new();
    private volatile Contents _contents;

    private AdminTokens(StateDirectory state, TimeProvider clock, ILogger log, Contents contents) =>
        (_state, _clock, _log, _contents) = (state, clock, log, contents);

    public IReadOnlyList<AdminToken> All => _contents.Tokens;

    /// <exception cref="StartFailure">The file is damaged or can't be read.</exception>
    public static AdminTokens Open(StateDirectory state, TimeProvider clock, ILogger log)
    {
        try
        {
            var file = state.TryRead(FileName) is { } bytes ? Decode(bytes) : new AdminTokenFile(AdminTokenFile.CurrentVersion, 1, []);
            return new AdminTokens(state, clock, log, Contents.Of(file));
        }
        catch (Exception e) when (e is InvalidDataException or JsonException or FormatException)
        {
            throw new StartFailure(ExitCode.StateDamaged, $"{state.File(FileName)} is damaged: {e.Message}",
                "restore it from a backup, or remove it: every admin token ends then, and the admin socket makes new ones", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartFailure(ExitCode.StateDirectoryUnusable, $"{state.File(FileName)} cannot be read: {e.Message}", "check its rights", e);
        }
    }

    /// <summary>The usable token of this text. Compares with every one there is, each in constant time.</summary>
    public AdminToken? Find(string text)
    {
        if (!AdminTokenText.TryHash(text, out var hash)) return null;
        byte[] asked = hash.ToArray();
        AdminToken? found = null;
        var now = _clock.GetUtcNow();
        var contents = _contents;
        for (int i = 0; i < contents.Hashes.Length; i++)
        {
            if (CryptographicOperations.FixedTimeEquals(contents.Hashes[i], asked) && contents.Tokens[i].StatusAt(now) == AdminTokenStatus.Valid)
                found = contents.Tokens[i];
        }
        return found;
    }

    /// <summary>How the log calls an actor that is a token: its name and number; null for others and for one forgotten.</summary>
    public string? NameOf(Actor actor)
    {
        if (actor.Kind != ActorKind.AdminToken) return null;
        foreach (var token in _contents.Tokens)
            if (token.Id == actor.Id) return $"{token.Name} ({actor})";
        return null;
    }

    /// <summary>A new token and its text, which is shown this once.</summary>
    /// <param name="lifetime">Null for never; checked by the caller.</param>
    /// <exception cref="ProblemException">The name is not one or is taken, or it can't be stored.</exception>
    public (AdminToken Token, string Text) Create(string name, TimeSpan? lifetime, Actor by)
    {
        if (!IsName(name)) throw new ProblemException(Problems.Invalid("name", "is not 1 to 64 of letters, digits and . _ @ -"));
        string text = AdminTokenText.New();
        AdminTokenText.TryHash(text, out var hash);
        lock (_changing)
        {
            var now = _clock.GetUtcNow();
            var usable = _contents.Tokens.Where(t => t.StatusAt(now) == AdminTokenStatus.Valid).ToList();
            if (usable.Any(t => t.Name == name))
            {
                throw new ProblemException(new Problem(409, ProblemType.Conflict, "Name taken",
                    $"A usable token is called {name} already. Revoke that one first, or choose another name.", "name"));
            }
            if (usable.Count >= MaxUsable)
            {
                throw new ProblemException(new Problem(409, ProblemType.Conflict, "Too many tokens",
                    $"There are {MaxUsable} usable tokens. Revoke one first."));
            }
            var token = new AdminToken
            {
                Id = _contents.NextId, Name = name, Hash = Base64Url.EncodeToString(hash.ToArray()), CreatedAt = now, CreatedBy = Describe(by),
                ExpiresAt = now + lifetime,
            };
            var kept = _contents.Tokens;
            if (kept.Length >= MaxKept) kept = kept.Remove(kept.First(t => t.StatusAt(now) != AdminTokenStatus.Valid));
            Store(new Contents(token.Id + 1, kept.Add(token)));
            LogCreated(token.Name, token.Id, token.CreatedBy);
            return (token, text);
        }
    }

    /// <summary>Ends a token. Said again, it changes nothing.</summary>
    /// <exception cref="ProblemException">There is no such token, or it can't be stored.</exception>
    public AdminToken Revoke(ulong id, Actor by)
    {
        lock (_changing)
        {
            var token = _contents.Tokens.FirstOrDefault(t => t.Id == id) ?? throw new ProblemException(new Problem(
                404, ProblemType.NotFound, "Unknown token", $"There is no admin token {id}; 'mesh-coordinator tokens list' shows them.", "id"));
            if (token.RevokedAt is not null) return token;
            var revoked = token with { RevokedAt = _clock.GetUtcNow(), RevokedBy = Describe(by) };
            Store(new Contents(_contents.NextId, _contents.Tokens.Replace(token, revoked)));
            LogRevoked(token.Name, token.Id, revoked.RevokedBy);
            return revoked;
        }
    }

    public static bool IsName(string name) =>
        name.Length is >= 1 and <= 64 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '@' or '-');

    private string Describe(Actor actor) => NameOf(actor) ?? actor.ToString();

    // The caller holds the lock.
    private void Store(Contents contents)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(
            new AdminTokenFile(AdminTokenFile.CurrentVersion, contents.NextId, contents.Tokens), AdminTokenJson.Default.AdminTokenFile);
        try
        {
            _state.Write(FileName, [.. Checksum(json), .. json]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotStored(e.Message);
            throw new ProblemException(new Problem(503, ProblemType.Unavailable, "Change not stored",
                "The coordinator could not store the change; nothing was changed. Its log says more.") { RetryAfter = TimeSpan.FromSeconds(5) });
        }
        _contents = contents;
    }

    private static byte[] Checksum(byte[] json) => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(SHA256.HashData(json)) + "\n");

    private static AdminTokenFile Decode(byte[] bytes)
    {
        const int line = 2 * 32 + 1;
        if (bytes.Length < line || !Checksum(bytes[line..]).AsSpan().SequenceEqual(bytes.AsSpan(0, line)))
            throw new InvalidDataException("it is not what was written");
        var file = JsonSerializer.Deserialize(bytes.AsSpan(line), AdminTokenJson.Default.AdminTokenFile) ?? throw new JsonException("it is empty");
        return file.Version == AdminTokenFile.CurrentVersion ? file : throw new InvalidDataException($"its version {file.Version} is not one that is known");
    }

    /// <param name="Tokens">By id.</param>
    private sealed record Contents(ulong NextId, ImmutableArray<AdminToken> Tokens)
    {
        /// <summary>Of the token at the same place.</summary>
        public ImmutableArray<byte[]> Hashes { get; } = [.. Tokens.Select(t => Base64Url.DecodeFromChars(t.Hash))];

        public static Contents Of(AdminTokenFile file) => new(file.NextId, [.. file.Tokens]);
    }

    [LoggerMessage(EventId = 1411, Level = LogLevel.Information, Message = "Admin token {Name} (token {Id}) made by {Actor}")]
    private partial void LogCreated(string name, ulong id, string actor);

    [LoggerMessage(EventId = 1412, Level = LogLevel.Information, Message = "Admin token {Name} (token {Id}) revoked by {Actor}")]
    private partial void LogRevoked(string name, ulong id, string actor);

    [LoggerMessage(EventId = 1413, Level = LogLevel.Error, Message = "A change of the admin tokens could not be stored and was refused: {Reason}")]
    private partial void LogNotStored(string reason);
}

/// <summary>The file as it stands on disk, behind its checksum.</summary>
internal sealed record AdminTokenFile(int Version, ulong NextId, IReadOnlyList<AdminToken> Tokens)
{
    public const int CurrentVersion = 1;
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, WriteIndented = true)]
[JsonSerializable(typeof(AdminTokenFile))]
internal sealed partial class AdminTokenJson : JsonSerializerContext;
