using System.CommandLine;
using System.Security.Cryptography;

namespace Mesh.Coordinator.Cli;

/// <summary>An exported root key: PKCS#8 in PEM, mode 0600, encrypted when a passphrase is given.</summary>
internal static class RootKeyFile
{
    private const int MaxBytes = 16 * 1024;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    // PBES2 with a slow hash: a passphrase is guessed, a key is not.
    private static readonly PbeParameters Encryption = new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 600_000);

    public static Option<string?> KeyOption(string name, string description) => new(name) { Description = description, HelpName = "FILE" };

    public static Option<string?> PassphraseOption() =>
        new("--passphrase-file") { Description = "Holds the passphrase that the key file is encrypted with; without it the file is not encrypted", HelpName = "FILE" };

    /// <summary>Writes a file that must not be there yet; on disk when it returns.</summary>
    public static void Write(string file, ECDsa key, string? passphraseFile)
    {
        char[]? passphrase = passphraseFile is null ? null : ReadPassphrase(passphraseFile);
        string pem = passphrase is null ? key.ExportPkcs8PrivateKeyPem() : key.ExportEncryptedPkcs8PrivateKeyPem(passphrase, Encryption);
        if (passphrase is not null) Array.Clear(passphrase);
        try
        {
            using var stream = new FileStream(file, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0, UnixCreateMode = OwnerOnly,
            });
            stream.Write(System.Text.Encoding.ASCII.GetBytes(pem + "\n"));
            stream.Flush(flushToDisk: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFailure(ExitCode.Usage, $"{file} cannot be written: {e.Message}", "name a file that is not there yet, in a directory that is yours");
        }
    }

    /// <summary>The key; the caller disposes of it.</summary>
    /// <exception cref="CliFailure">There is no such key in the file, or the passphrase is not right.</exception>
    public static ECDsa Read(string file, string? passphraseFile)
    {
        string pem = ReadText(file);
        var key = ECDsa.Create();
        try
        {
            bool encrypted = pem.Contains("ENCRYPTED", StringComparison.Ordinal);
            if (encrypted && passphraseFile is null)
                throw new CliFailure(ExitCode.Usage, $"{file} is encrypted", "say --passphrase-file FILE");
            if (encrypted)
            {
                char[] passphrase = ReadPassphrase(passphraseFile!);
                key.ImportFromEncryptedPem(pem, passphrase);
                Array.Clear(passphrase);
            }
            else
            {
                key.ImportFromPem(pem);
            }
            if (key.KeySize != 256) throw new CryptographicException("not a P-256 key");
            key.ExportECPrivateKey().AsSpan().Clear(); // Throws for a file that holds a public key only.
            return key;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            key.Dispose();
            throw new CliFailure(ExitCode.Usage, $"{file} holds no root key that can be read", "is it what 'root export' wrote, and the passphrase the right one?");
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    private static char[] ReadPassphrase(string file)
    {
        string text = ReadText(file).TrimEnd('\r', '\n');
        return text.Length == 0 ? throw new CliFailure(ExitCode.Usage, $"{file} holds no passphrase") : text.ToCharArray();
    }

    private static string ReadText(string file)
    {
        try
        {
            if (new FileInfo(file) is { Exists: true, Length: > MaxBytes }) throw new CliFailure(ExitCode.Usage, $"{file} is too large");
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFailure(ExitCode.Usage, $"{file} cannot be read: {e.Message}");
        }
    }
}
