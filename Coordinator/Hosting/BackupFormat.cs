using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Mesh.Coordinator.Hosting;

/// <summary>
/// What a backup is: a tar file with the files of a state directory, each network's log as one file, and last a manifest that
/// names them all. A file without its end has no manifest, and is none.
/// </summary>
internal static partial class BackupFormat
{
    public const int Version = 1;
    public const string ManifestName = "manifest.json";
    public const string NetworksName = "networks";
    public const string LogName = "log.db";

    /// <summary>Files in the state directory that mean nothing elsewhere, or would be wrong there.</summary>
    public static bool IsKept(string name) => name is not "lock" && FileName().IsMatch(name) && !name.EndsWith(".new", StringComparison.Ordinal)
        && !name.EndsWith(".sock", StringComparison.Ordinal) && name != ManifestName;

    /// <summary>Whether a path may stand in a backup: a file of the state directory, or of a network's.</summary>
    public static bool IsPath(string path) => path.Split('/') switch
    {
        [var name] => IsKept(name) || name == ManifestName,
        [NetworksName, ".used"] => true,
        [NetworksName, var network, LogName or "data.key"] => Protocol.NetworkName.IsValid(network),
        _ => false,
    };

    [GeneratedRegex("^[a-z0-9][a-z0-9.-]{0,63}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex FileName();
}

/// <param name="Pin">Of the coordinator, base64url.</param>
/// <param name="Files">Every file but the manifest, in the tar's order.</param>
internal sealed record BackupManifest(
    int Format, string Version, DateTimeOffset CreatedAt, string Pin, IReadOnlyList<BackupFile> Files, IReadOnlyList<BackupNetwork> Networks);

/// <param name="Sha256">Hexadecimal.</param>
internal sealed record BackupFile(string Path, long Size, string Sha256);

/// <param name="Position">The last event of the network's log in the backup.</param>
internal sealed record BackupNetwork(string Name, string Id, long Position, string Hash);

[JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web, WriteIndented = true)]
[JsonSerializable(typeof(BackupManifest))]
internal sealed partial class BackupJson : JsonSerializerContext;
