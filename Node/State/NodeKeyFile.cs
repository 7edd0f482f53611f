using System.Security.Cryptography;
using Mesh.Crypto;
using Mesh.Node.Cli;

namespace Mesh.Node.State;

/// <summary>The WireGuard private key on disk: base64 of 32 bytes and a line end, as WireGuard's tools write it.</summary>
internal static class NodeKeyFile
{
    private const int Base64Chars = 44;

    /// <summary>Reads the key, or makes it when there is none. The caller owns it.</summary>
    /// <exception cref="UserException">The file is damaged.</exception>
    public static X25519PrivateKey LoadOrCreate(StateDirectory state)
    {
        if (Load(state.NodeKeyPath) is { } known) return known;
        var made = X25519PrivateKey.Generate();
        Save(state.NodeKeyPath, made);
        return made;
    }

    /// <summary>The key that is to follow; null when none is. The caller owns it.</summary>
    /// <exception cref="UserException">The file is damaged.</exception>
    public static X25519PrivateKey? LoadNext(StateDirectory state) => Load(state.NextNodeKeyPath);

    /// <summary>Keeps the key that is to follow. On disk when this returns.</summary>
    public static void SaveNext(StateDirectory state, X25519PrivateKey key) => Save(state.NextNodeKeyPath, key);

    /// <summary>The key that was to follow is the key from now on, after a crash too.</summary>
    public static void Promote(StateDirectory state) => AtomicFile.Replace(state.NodeKeyPath, state.NextNodeKeyPath);

    public static void RemoveNext(StateDirectory state) => AtomicFile.Delete(state.NextNodeKeyPath);

    private static X25519PrivateKey? Load(string path)
    {
        byte[]? text = AtomicFile.Read(path, 256);
        if (text is null) return null;
        byte[] key = new byte[SecretKey.Length];
        try
        {
            var trimmed = text.AsSpan().TrimEnd((byte)'\n');
            if (trimmed.Length != Base64Chars
                || System.Buffers.Text.Base64.DecodeFromUtf8(trimmed, key, out _, out int written) != System.Buffers.OperationStatus.Done
                || written != SecretKey.Length)
                throw new UserException(ExitCode.StateUnusable, $"the node key {path} is damaged",
                    "Restore it from a backup, or remove it and join again with a new link.");
            return new X25519PrivateKey(key);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(text);
            CryptographicOperations.ZeroMemory(key);
        }
    }

    private static void Save(string path, X25519PrivateKey key)
    {
        Span<byte> raw = stackalloc byte[SecretKey.Length];
        Span<byte> text = stackalloc byte[Base64Chars + 1];
        key.CopyTo(raw);
        System.Buffers.Text.Base64.EncodeToUtf8(raw, text, out _, out _);
        text[Base64Chars] = (byte)'\n';
        try
        {
            AtomicFile.Write(path, text);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(raw);
            CryptographicOperations.ZeroMemory(text);
        }
    }

    public static void Remove(StateDirectory state)
    {
        RemoveNext(state);
        AtomicFile.Delete(state.NodeKeyPath);
    }
}
