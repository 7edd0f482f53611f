using Mesh.Node.Cli;
using Mesh.Node.Kernel;

namespace Mesh.Node.State;

/// <summary>
/// The daemon's directory, held by one daemon at a time. Everything in it is 0600 in a directory of 0700; wider rights are
/// tightened, not refused.
/// <code>
/// lock          held while the daemon runs
/// machine.key   ECDSA P-256, PKCS#8 PEM: who this machine is to every coordinator
/// node.key      X25519, base64: the WireGuard key
/// node.key.next the key that will take its place, while that is under way
/// join.json     where the coordinator is, its pin, the network, what the user asked for
/// map.bin       the last map applied (a Snapshot message)
/// tai64n        the TAI64N timestamp that no handshake may fall behind
/// </code>
/// </summary>
public sealed class StateDirectory : IDisposable
{
    private const UnixFileMode OwnerOnlyDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode OwnerOnlyFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly FileStream _lock;

    private StateDirectory(string path, FileStream held)
    {
        FullPath = path;
        _lock = held;
    }

    public string FullPath { get; }

    internal string MachineKeyPath => Path.Combine(FullPath, "machine.key");

    internal string NodeKeyPath => Path.Combine(FullPath, "node.key");

    internal string NextNodeKeyPath => NodeKeyPath + ".next";

    internal string JoinPath => Path.Combine(FullPath, "join.json");

    internal string MapPath => Path.Combine(FullPath, "map.bin");

    internal string TimestampPath => Path.Combine(FullPath, "tai64n");

    /// <summary>Makes the directory when there is none, tightens it, and takes its lock.</summary>
    /// <exception cref="UserException">Another daemon holds it, or it can't be used.</exception>
    public static StateDirectory Open(string path)
    {
        string full = Path.GetFullPath(path);
        try
        {
            if (!Directory.Exists(full)) Directory.CreateDirectory(full, OwnerOnlyDirectory);
            Tighten(full);
            string lockPath = Path.Combine(full, "lock");
            var held = new FileStream(lockPath, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = OwnerOnlyFile,
            });
            return new StateDirectory(full, held);
        }
        catch (IOException e) when (e.HResult == Errno.EAGAIN)
        {
            throw new UserException(ExitCode.StateDirectoryInUse, $"another mesh daemon holds the state directory {full}",
                "Stop that daemon first, or give this one a directory of its own with --state-dir.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException(ExitCode.StateUnusable, $"cannot use the state directory {full}: {e.Message}",
                "Start the daemon as root, or give it a directory it may write to with --state-dir.", e);
        }
    }

    public void Dispose() => _lock.Dispose();

    private static void Tighten(string path)
    {
        if (File.GetUnixFileMode(path) != OwnerOnlyDirectory) File.SetUnixFileMode(path, OwnerOnlyDirectory);
        foreach (string file in Directory.EnumerateFiles(path))
            if (File.GetUnixFileMode(file) != OwnerOnlyFile) File.SetUnixFileMode(file, OwnerOnlyFile);
    }
}
