using System.CommandLine;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Cli;

/// <summary>log verify: of a running coordinator's log, or of a copied file with the root's public key alone.</summary>
internal static class LogVerifyCommand
{
    private const string Help = """
        Checks every event of a network's log, as it stands on disk, against its chain, its signed heads and its snapshots. Exits 1
        when something is wrong. With --file no coordinator is asked: a copy of the log and the root's public key are enough.

        Examples:
          mesh-coordinator log verify --state-dir /var/lib/mesh-coordinator
          mesh-coordinator log verify --file log.db --root-key root.crt
        """;

    public static Command Create(Terminal terminal)
    {
        var network = CommonOptions.Network();
        var target = new AdminTarget();
        var json = CommonOptions.Json();
        var file = new Option<string?>("--file") { Description = "A copied log.db", HelpName = "FILE" };
        var rootKey = new Option<string[]>("--root-key")
        {
            Description = "With --file: the root's certificate or public key, as DER, PEM, or the publicKey of 'root show --json'; repeat it with those of earlier roots", HelpName = "FILE",
        };
        var command = new Command("verify", Help) { network, json, file, rootKey };
        foreach (var option in target.Options) command.Options.Add(option);
        command.SetAction((line, cancellation) => AdminVerb.GuardAsync(terminal, async () =>
        {
            if ((line.GetValue(file) is null) != (line.GetValue(rootKey) is not { Length: > 0 }))
                throw new CliFailure(ExitCode.Usage, "--file and --root-key go together");
            VerificationModel found;
            if (line.GetValue(file) is { } path)
            {
                found = VerifyFile(path, line.GetValue(rootKey)!, cancellation);
            }
            else
            {
                using var client = target.Connect(terminal, line);
                found = await client.PostAsync(Paths.Log(line.GetValue(network)!) + "/verify", AdminJson.Default.VerificationModel, cancellation);
            }
            if (line.GetValue(json)) terminal.Json(found, AdminJson.Default.VerificationModel);
            else Print(terminal, found);
            return found.Valid ? ExitCode.Ok : ExitCode.Refused;
        }));
        return command;
    }

    private static VerificationModel VerifyFile(string path, string[] rootKeyPaths, CancellationToken cancellation)
    {
        List<byte[]> roots = [.. rootKeyPaths.Select(ReadRootKey)];
        try
        {
            var found = LogVerifier.Verify(path, roots, cancellation);
            return AdminQueries.Describe(found, found.Network.ToString());
        }
        catch (LogStoreException e)
        {
            throw new CliFailure(ExitCode.Refused, e.Message);
        }
    }

    private static byte[] ReadRootKey(string path)
    {
        try
        {
            byte[] bytes = File.ReadAllBytes(path);
            string text = System.Text.Encoding.ASCII.GetString(bytes).Trim();
            if (text.StartsWith("-----BEGIN CERTIFICATE", StringComparison.Ordinal)) return SpkiOf(X509Certificate2.CreateFromPem(text));
            if (text.StartsWith("-----BEGIN", StringComparison.Ordinal))
            {
                using var key = ECDsa.Create();
                key.ImportFromPem(text);
                return key.ExportSubjectPublicKeyInfo();
            }
            if (System.Buffers.Text.Base64.IsValid(text)) bytes = Convert.FromBase64String(text);
            try
            {
                return SpkiOf(X509CertificateLoader.LoadCertificate(bytes));
            }
            catch (CryptographicException)
            {
                using var key = ECDsa.Create();
                key.ImportSubjectPublicKeyInfo(bytes, out _);
                return key.ExportSubjectPublicKeyInfo();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFailure(ExitCode.Usage, $"{path} cannot be read: {e.Message}");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new CliFailure(ExitCode.Usage, $"{path} holds no certificate and no public key", "copy root.crt from the state directory");
        }
    }

    private static byte[] SpkiOf(X509Certificate2 certificate)
    {
        using (certificate) return certificate.PublicKey.ExportSubjectPublicKeyInfo();
    }

    private static void Print(Terminal terminal, VerificationModel found)
    {
        if (found.Valid)
        {
            terminal.Line($"the log of network {found.Network} is whole: {found.Events} events under {found.Heads} signed heads, to position {found.Position}"
                + (found.Erased.Count == 0 ? "" : $"; {found.Erased.Count} erased"));
            return;
        }
        terminal.Note($"mesh-coordinator: the log of network {found.Network} is not what was written ({found.Problems.Count} problems)");
        foreach (var problem in found.Problems) terminal.Note($"  position {problem.Position}: {problem.Problem}");
        terminal.Note("  restore the network's directory from a backup, and keep the damaged file for evidence");
    }
}
