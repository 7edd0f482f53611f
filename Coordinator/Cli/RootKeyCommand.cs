using System.Buffers.Text;
using System.CommandLine;
using System.Security.Cryptography;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Trust;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Cli;

/// <summary>root show | export | remove | renew | next | switch. A root key that is elsewhere signs where its file is, and never travels.</summary>
internal static class RootKeyCommand
{
    public static Command Create(Terminal terminal) => new("root", "The root key that the pin names: keep it elsewhere, renew what it signed, let another follow")
    {
        Show(terminal), Export(terminal), Remove(terminal), Renew(terminal), Next(terminal), Switch(terminal),
    };

    private static Command Show(Terminal terminal) => AdminVerb.Create(
        "show", "Prints the pin: what join links carry, and all that nodes trust.", "root show --state-dir /var/lib/mesh-coordinator", terminal,
        async (client, _, json, cancellation) =>
        {
            var root = await client.GetAsync(Paths.Root, AdminJson.Default.RootModel, cancellation);
            if (json)
            {
                terminal.Json(root, AdminJson.Default.RootModel);
                return ExitCode.Ok;
            }
            terminal.Line(root.Pin);
            terminal.Note($"the root key is {(root.KeyHeld ? "here" : "elsewhere")}; the issuer is good until {Terminal.Time(root.IssuerExpires)}");
            if (root.NextPin is { } next) terminal.Note($"announced to follow: {next}; machines that were online since know it");
            return ExitCode.Ok;
        });

    private static Command Export(Terminal terminal)
    {
        var file = new Argument<string>("FILE") { Description = "The file to make, mode 0600; must not exist" };
        var passphrase = RootKeyFile.PassphraseOption();
        return AdminVerb.Create(
            "export", """
            Writes the root's private key to a file, for a safe place. It stays on the coordinator until 'root remove'. Works on the
            coordinator's own machine alone (--state-dir): a stolen token must not become the coordinator's identity.
            """,
            "root export /media/usb/mesh-root.pem --passphrase-file pass --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var exported = await client.PostAsync(Paths.Root + "/export", AdminJson.Default.ExportedRootModel, cancellation);
                using var key = ECDsa.Create();
                byte[] bytes = Convert.FromBase64String(exported.PrivateKey);
                key.ImportPkcs8PrivateKey(bytes, out _);
                CryptographicOperations.ZeroMemory(bytes);
                RootKeyFile.Write(line.GetRequiredValue(file), key, line.GetValue(passphrase));
                return await SayAsync(client, terminal, json, $"the root key is in {line.GetRequiredValue(file)}; whoever has it is this coordinator", cancellation);
            },
            file, passphrase);
    }

    private static Command Remove(Terminal terminal)
    {
        var file = RootKeyFile.KeyOption("--key-file", "The exported key; it proves that there is a copy");
        file.Required = true;
        var passphrase = RootKeyFile.PassphraseOption();
        var yes = Confirmation.Yes();
        return AdminVerb.Create(
            "remove", "Removes the root's private key from the coordinator, after asking. From then on 'root renew --key-file' renews the issuer, once a year.",
            "root remove --key-file /media/usb/mesh-root.pem --yes --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                using var key = RootKeyFile.Read(line.GetValue(file)!, line.GetValue(passphrase));
                if (!Confirmation.Given(terminal, line.GetValue(yes), "root remove",
                    "Remove the root's private key from the coordinator? Without the exported file no issuer is ever signed again.")) return ExitCode.Usage;
                var asked = await RequestAsync(client, key, cancellation);
                byte[] statement = CoordinatorKeys.RemovalStatement(PinOf(key), Convert.FromBase64String(asked.IssuerCertificate));
                byte[] signature = key.SignData(statement, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
                await client.SendAsync(HttpMethod.Post, Paths.Root + "/remove", new RemoveRootModel(Convert.ToBase64String(signature)),
                    AdminJson.Default.RemoveRootModel, AdminJson.Default.RootModel, cancellation);
                return await SayAsync(client, terminal, json, "the root key is no longer on the coordinator", cancellation);
            },
            file, passphrase, yes);
    }

    private static Command Renew(Terminal terminal)
    {
        var file = RootKeyFile.KeyOption("--key-file", "The exported key, when it is not on the coordinator; it signs here and is sent nowhere");
        var passphrase = RootKeyFile.PassphraseOption();
        return AdminVerb.Create(
            "renew", "Renews the issuer for a year. Open connections go on.",
            "root renew --key-file /media/usb/mesh-root.pem --coordinator mesh://mesh.example.com:8444/PIN --token-file token", terminal,
            async (client, line, json, cancellation) =>
            {
                var model = new RenewIssuerModel();
                if (line.GetValue(file) is { } path)
                {
                    using var key = RootKeyFile.Read(path, line.GetValue(passphrase));
                    var asked = await RequestAsync(client, key, cancellation);
                    using var issuer = CertificateMint.Issuer(key, Convert.FromBase64String(asked.IssuerPublicKey), DateTimeOffset.UtcNow);
                    model = new RenewIssuerModel { IssuerCertificate = Convert.ToBase64String(issuer.RawData) };
                }
                var root = await client.SendAsync(
                    HttpMethod.Post, Paths.Root + "/renew", model, AdminJson.Default.RenewIssuerModel, AdminJson.Default.RootModel, cancellation);
                return await SayAsync(client, terminal, json, $"the issuer is good until {Terminal.Time(root.IssuerExpires)}", cancellation);
            },
            file, passphrase);
    }

    private static Command Next(Terminal terminal)
    {
        var file = RootKeyFile.KeyOption("--key-file", "The present root's exported key, when it is not on the coordinator");
        var newFile = RootKeyFile.KeyOption("--new-key-file", "With --key-file: the file to make for the next root's key");
        var passphrase = RootKeyFile.PassphraseOption();
        return AdminVerb.Create(
            "next", "Makes the root that will follow and announces it: machines learn its pin from the root that they trust. Nothing else changes until 'root switch'.",
            "root next --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                if (line.GetValue(file) is null != line.GetValue(newFile) is null)
                    throw new CliFailure(ExitCode.Usage, "--key-file and --new-key-file go together");
                var model = line.GetValue(file) is { } path
                    ? await MakeNextAsync(client, path, line.GetValue(newFile)!, line.GetValue(passphrase), cancellation)
                    : new NextRootModel();
                var root = await client.SendAsync(
                    HttpMethod.Post, Paths.Root + "/next", model, AdminJson.Default.NextRootModel, AdminJson.Default.RootModel, cancellation);
                return await SayAsync(client, terminal, json,
                    $"announced: {root.NextPin}\nwhen every machine has been online since ('nodes list'), let it take over: root switch", cancellation);
            },
            file, newFile, passphrase);
    }

    private static Command Switch(Terminal terminal)
    {
        var yes = Confirmation.Yes();
        return AdminVerb.Create(
            "switch", "Lets the announced root take over, after asking. Machines that were told connect anew by themselves; join links and --coordinator carry the new pin from then on.",
            "root switch --yes --state-dir /var/lib/mesh-coordinator", terminal,
            async (client, line, json, cancellation) =>
            {
                var root = await client.GetAsync(Paths.Root, AdminJson.Default.RootModel, cancellation);
                if (root.NextPin is not { } next)
                    throw new CliFailure(ExitCode.Refused, "no next root is announced", "'mesh-coordinator root next' makes and announces one");
                if (!Confirmation.Given(terminal, line.GetValue(yes), "root switch",
                    $"Go over from pin {root.Pin} to {next}? A machine that was not online since the announcement must join again.")) return ExitCode.Usage;
                var now = await client.SendAsync(
                    HttpMethod.Post, Paths.Root + "/switch", new SwitchRootModel(next), AdminJson.Default.SwitchRootModel, AdminJson.Default.RootModel, cancellation);
                if (json) terminal.Json(now, AdminJson.Default.RootModel);
                else terminal.Line($"the pin is {now.Pin}");
                if (client.Authority is { } authority) terminal.Note($"from now on: --coordinator mesh://{authority}/{now.Pin}");
                terminal.Note("join links made before carry the old pin and let nobody in any more; 'keys create' makes new ones");
                return ExitCode.Ok;
            },
            yes);
    }

    private static async Task<NextRootModel> MakeNextAsync(
        AdminClient client, string keyFile, string newKeyFile, string? passphraseFile, CancellationToken cancellation)
    {
        using var key = RootKeyFile.Read(keyFile, passphraseFile);
        var asked = await RequestAsync(client, key, cancellation);
        using var next = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var root = CertificateMint.Root(next);
        using var issuer = CertificateMint.Issuer(next, Convert.FromBase64String(asked.IssuerPublicKey), DateTimeOffset.UtcNow);
        using var log = CertificateMint.LogKey(next, Convert.FromBase64String(asked.LogPublicKey));
        // Before anybody hears of it: a root whose key is lost must not take over.
        RootKeyFile.Write(newKeyFile, next, passphraseFile);
        return new NextRootModel
        {
            RootCertificate = Convert.ToBase64String(root.RawData), IssuerCertificate = Convert.ToBase64String(issuer.RawData),
            LogCertificate = Convert.ToBase64String(log.RawData),
            Signature = NextRoots.Sign(key, CoordinatorTrust.PinOf(root)).Signature.ToBase64(),
        };
    }

    /// <summary>What the coordinator wants signed, if the key is its root.</summary>
    private static async Task<RootRequestModel> RequestAsync(AdminClient client, ECDsa key, CancellationToken cancellation)
    {
        var asked = await client.PostAsync(Paths.Root + "/request", AdminJson.Default.RootRequestModel, cancellation);
        return asked.Pin == Base64Url.EncodeToString(PinOf(key)) ? asked
            : throw new CliFailure(ExitCode.Usage, "the key file holds another root than this coordinator's", $"this one's pin is {asked.Pin}");
    }

    private static byte[] PinOf(ECDsa key) => SHA256.HashData(key.ExportSubjectPublicKeyInfo());

    private static async Task<int> SayAsync(AdminClient client, Terminal terminal, bool json, string text, CancellationToken cancellation)
    {
        if (json) terminal.Json(await client.GetAsync(Paths.Root, AdminJson.Default.RootModel, cancellation), AdminJson.Default.RootModel);
        else terminal.Line(text);
        return ExitCode.Ok;
    }
}
