using System.Buffers.Text;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Tests.Cli;
using Mesh.Coordinator.Trust;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Trust;

/// <summary>The root key's life, by the verbs that an administrator has for it.</summary>
public sealed class RootCareTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _laptop = new();
    private ServedCoordinator _coordinator = null!;
    private Dictionary<string, string> _environment = [];

    private string KeyFile => Path.Combine(_laptop, "root.pem");

    public async ValueTask InitializeAsync()
    {
        _coordinator = await ServedCoordinator.StartAsync();
        _environment = new() { ["MESH_TOKEN"] = _coordinator.Server.Tokens.Create("laptop", null, Actor.System).Text };
    }

    public async ValueTask DisposeAsync()
    {
        await _coordinator.DisposeAsync();
        _laptop.Dispose();
    }

    [Fact]
    public async Task The_root_key_leaves_through_the_socket_alone_into_a_file_of_its_owner()
    {
        var refused = await FarAsync("root", "export", KeyFile);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("only through the admin socket", refused.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(KeyFile));

        Assert.Equal(0, (await NearAsync("root", "export", KeyFile)).ExitCode);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(KeyFile));
        using var key = RootKeyFile.Read(KeyFile, null);
        Assert.Equal(_coordinator.Server.Keys.Pin.ToArray(), SHA256.HashData(key.ExportSubjectPublicKeyInfo()));
        Assert.Equal(2, (await NearAsync("root", "export", KeyFile)).ExitCode);
        Assert.True(_coordinator.Server.Keys.HoldsRootKey);
    }

    [Fact]
    public async Task An_exported_key_may_be_encrypted()
    {
        string passphrase = Path.Combine(_laptop, "pass"), wrong = Path.Combine(_laptop, "wrong");
        await File.WriteAllTextAsync(passphrase, "correct horse\n");
        await File.WriteAllTextAsync(wrong, "battery staple\n");
        Assert.Equal(0, (await NearAsync("root", "export", KeyFile, "--passphrase-file", passphrase)).ExitCode);
        Assert.Contains("ENCRYPTED", await File.ReadAllTextAsync(KeyFile), StringComparison.Ordinal);
        Assert.Equal(2, (await FarAsync("root", "renew", "--key-file", KeyFile)).ExitCode);
        Assert.Equal(2, (await FarAsync("root", "renew", "--key-file", KeyFile, "--passphrase-file", wrong)).ExitCode);
        Assert.Equal(0, (await FarAsync("root", "renew", "--key-file", KeyFile, "--passphrase-file", passphrase)).ExitCode);
    }

    [Fact]
    public async Task Without_its_root_key_the_coordinator_works_on_and_is_renewed_from_elsewhere_while_polls_are_open()
    {
        await _coordinator.AllowAllAsync();
        List<(TestMachine Machine, TestPoll Poll)> open = [];
        for (int i = 0; i < 20; i++)
        {
            var machine = await _coordinator.JoinAsync($"m{i}");
            open.Add((machine, await machine.PollAsync()));
        }
        await NearAsync("root", "export", KeyFile);
        Assert.Equal(2, (await FarAsync("root", "remove", "--key-file", KeyFile)).ExitCode);
        Assert.True(_coordinator.Server.Keys.HoldsRootKey);
        Assert.Equal(0, (await FarAsync("root", "remove", "--key-file", KeyFile, "--yes")).ExitCode);
        Assert.False(_coordinator.Server.Keys.HoldsRootKey);
        Assert.False(File.Exists(Path.Combine(_coordinator.StateDirectory, "root.key")));
        Assert.Equal(1, (await NearAsync("root", "export", KeyFile + "2")).ExitCode);
        Assert.Equal(1, (await FarAsync("root", "renew")).ExitCode);

        byte[] before = _coordinator.Server.Keys.IssuerCertificate;
        var renewed = await FarAsync("root", "renew", "--key-file", KeyFile);
        Assert.Equal((0, ""), (renewed.ExitCode, renewed.Error));
        Assert.NotEqual(before, _coordinator.Server.Keys.IssuerCertificate);

        // A machine that meets the new issuer's leaf, and those that met the one before, are in one network.
        using var late = await _coordinator.JoinAsync("late");
        foreach (var (_, poll) in open) await poll.UntilAsync(map => map.Peers.Values.Any(peer => peer.Name == "late"));
        await _coordinator.RestartAsync();
        Assert.False(_coordinator.Server.Keys.HoldsRootKey);
        using var again = await late.PollAsync();
        await again.UntilAsync(map => map.Self is not null);
        foreach (var (machine, poll) in open)
        {
            poll.Dispose();
            machine.Dispose();
        }
    }

    [Fact]
    public async Task Another_coordinators_root_removes_and_renews_nothing()
    {
        await using var other = await ServedCoordinator.StartAsync();
        await Said.ByAsync("root", "export", KeyFile, "--state-dir", other.StateDirectory);
        foreach (string[] verb in (string[][])[["remove", "--yes"], ["renew"]])
        {
            var said = await FarAsync(["root", .. verb, "--key-file", KeyFile]);
            Assert.Equal(2, said.ExitCode);
            Assert.Contains("another root", said.Error, StringComparison.Ordinal);
        }
        Assert.False(_coordinator.Server.Keys.TryRemoveRoot(new byte[64]));
        Assert.True(_coordinator.Server.Keys.HoldsRootKey);
    }

    [Fact]
    public async Task An_issuer_is_taken_only_for_the_key_asked_for_from_the_root_and_for_now()
    {
        await NearAsync("root", "export", KeyFile);
        using var root = RootKeyFile.Read(KeyFile, null);
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var keys = _coordinator.Server.Keys;
        var now = _coordinator.Clock.GetUtcNow();
        byte[] before = keys.IssuerCertificate;
        Assert.Contains("was not asked for", keys.AcceptIssuer(CertificateMint.Issuer(root, stranger, now).RawData), StringComparison.Ordinal);
        byte[] asked = keys.RequestIssuer();
        Assert.Equal(asked, keys.RequestIssuer());
        Assert.Contains("ask anew", keys.AcceptIssuer(CertificateMint.Issuer(root, stranger, now).RawData), StringComparison.Ordinal);
        Assert.Contains("not signed", keys.AcceptIssuer(CertificateMint.Issuer(stranger, asked, now).RawData), StringComparison.Ordinal);
        Assert.Contains("not good now", keys.AcceptIssuer(CertificateMint.Issuer(root, asked, now.AddDays(3)).RawData), StringComparison.Ordinal);
        Assert.Contains("not good now", keys.AcceptIssuer(CertificateMint.Issuer(root, asked, now.AddDays(-366)).RawData), StringComparison.Ordinal);
        Assert.Contains("may sign", keys.AcceptIssuer(CertificateMint.LogKey(root, asked).RawData), StringComparison.Ordinal);
        Assert.Contains("not a certificate", keys.AcceptIssuer([1, 2, 3]), StringComparison.Ordinal);
        Assert.Equal(before, keys.IssuerCertificate);
        Assert.Null(keys.AcceptIssuer(CertificateMint.Issuer(root, asked, now).RawData));
        Assert.Equal(TrustVerdict.Trusted, Judge());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_next_root_is_told_to_open_polls_and_takes_over(bool offline)
    {
        await _coordinator.AllowAllAsync();
        if (offline)
        {
            await NearAsync("root", "export", KeyFile);
            await FarAsync("root", "remove", "--key-file", KeyFile, "--yes");
        }
        using var machine = await _coordinator.JoinAsync("web");
        using var poll = await machine.PollAsync();
        await poll.UntilAsync(map => map.Self is not null);
        byte[] oldPin = _coordinator.Server.Keys.Pin.ToArray(), oldSpki = _coordinator.Server.Keys.RootSpki.ToArray();

        Assert.Equal(1, (await FarAsync("root", "switch", "--yes")).ExitCode);
        string newFile = Path.Combine(_laptop, "next.pem");
        var announced = offline
            ? await FarAsync("root", "next", "--key-file", KeyFile, "--new-key-file", newFile)
            : await FarAsync("root", "next");
        Assert.True(announced.ExitCode == 0, announced.ToString());
        NextRoot? told = null;
        while (told is null) told = (await poll.NextAsync())!.Delta?.NextRoot;
        Assert.True(NextRoots.Verify(told, oldSpki));
        using (var second = await machine.PollAsync())
            Assert.Equal(told, (await second.NextAsync())!.Snapshot.NextRoot);
        await _coordinator.RestartAsync();
        Assert.Equal(told, _coordinator.Server.Keys.Next);
        using var open = await machine.PollAsync();
        await open.NextAsync();

        Assert.Equal(2, (await FarAsync("root", "switch")).ExitCode);
        Assert.Equal(oldPin, _coordinator.Server.Keys.Pin.ToArray());
        string oldAddress = _coordinator.AdminAddress;
        Assert.Equal(0, (await FarAsync("root", "switch", "--yes")).ExitCode);
        Assert.Equal(told.Pin.ToByteArray(), _coordinator.Server.Keys.Pin.ToArray());
        Assert.Equal(!offline, _coordinator.Server.Keys.HoldsRootKey);
        while (await open.NextAsync() is { } frame)
            if (frame.FrameCase == MapFrame.FrameOneofCase.Notice) Assert.Equal(NoticeKind.Reconnect, frame.Notice.Kind);
        Assert.Equal(TrustVerdict.Trusted, Judge());

        // The node comes back under the new root, and every head it is shown is vouched for by that.
        using var after = await machine.PollAsync();
        var snapshot = (await after.NextAsync())!.Snapshot;
        Assert.Null(snapshot.NextRoot);
        Assert.Equal(LogHeadVerdict.Valid, LogHeads.Verify(snapshot.Head, _coordinator.Network.Runtime.Id.ToArray(), _coordinator.Server.Keys.RootSpki.Span));
        using var late = await _coordinator.JoinAsync("late");
        while (!after.Map.Peers.Values.Any(peer => peer.Name == "late"))
        {
            var frame = (await after.NextAsync())!;
            if (frame.Delta is { } delta)
                Assert.Equal(LogHeadVerdict.Valid, LogHeads.Verify(delta.Head, _coordinator.Network.Runtime.Id.ToArray(), _coordinator.Server.Keys.RootSpki.Span));
        }

        Assert.Equal(3, (await Said.ByAsync(_environment, "status", "--coordinator", oldAddress)).ExitCode);
        var verified = await FarAsync("log", "verify");
        Assert.True(verified.ExitCode == 0, verified.ToString());
        Assert.Contains(Base64Url.EncodeToString(told.Pin.Span), (await FarAsync("keys", "create")).Output, StringComparison.Ordinal);
        string backup = Path.Combine(_laptop, "mesh.tar");
        Assert.Equal(0, (await FarAsync("backup", "--output", backup)).ExitCode);
        var restored = await Said.ByAsync("restore", "--input", backup, "--state-dir", Path.Combine(_laptop, "restored"));
        Assert.True(restored.ExitCode == 0, restored.ToString());
        await _coordinator.RestartAsync();
        Assert.Equal(told.Pin.ToByteArray(), _coordinator.Server.Keys.Pin.ToArray());
        Assert.Equal(0, (await FarAsync("log", "verify")).ExitCode);
        if (offline) Assert.Equal(0, (await FarAsync("root", "renew", "--key-file", newFile)).ExitCode);
        else Assert.Equal(0, (await FarAsync("root", "renew")).ExitCode);
    }

    [Fact]
    public async Task A_next_root_from_elsewhere_is_held_together_part_by_part()
    {
        await NearAsync("root", "export", KeyFile);
        using var root = RootKeyFile.Read(KeyFile, null);
        using var next = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var keys = _coordinator.Server.Keys;
        byte[] asked = keys.RequestIssuer();
        var now = _coordinator.Clock.GetUtcNow();
        using var certificate = CertificateMint.Root(next);
        byte[] issuer = CertificateMint.Issuer(next, asked, now).RawData, log = CertificateMint.LogKey(next, keys.Log.PublicKey).RawData;
        byte[] signature = NextRoots.Sign(root, CoordinatorTrust.PinOf(certificate)).Signature.ToByteArray();
        Assert.Equal("rootCertificate", keys.AcceptNext([7], issuer, log, signature)?.Part);
        Assert.Equal("signature", keys.AcceptNext(certificate.RawData, issuer, log, NextRoots.Sign(stranger, CoordinatorTrust.PinOf(certificate)).Signature.ToByteArray())?.Part);
        Assert.Equal("signature", keys.AcceptNext(CertificateMint.Root(stranger).RawData, issuer, log, signature)?.Part);
        Assert.Equal("issuerCertificate", keys.AcceptNext(certificate.RawData, CertificateMint.Issuer(root, asked, now).RawData, log, signature)?.Part);
        Assert.Equal("logCertificate", keys.AcceptNext(certificate.RawData, issuer, CertificateMint.LogKey(next, stranger).RawData, signature)?.Part);
        Assert.Null(keys.Next);
        Assert.Null(keys.AcceptNext(certificate.RawData, issuer, log, signature));
        Assert.NotNull(keys.Next);
    }

    [Fact]
    public void What_a_crash_cut_short_is_ended_by_the_next_start_and_what_had_not_begun_is_not()
    {
        using var directory = new TemporaryDirectory();
        using (var state = StateDirectory.Open(directory))
        {
            state.Write("a", [1]);
            state.Write("b", [1]);
            state.Write("gone", [1]);
            // As if the process had died before, and then after, the list was written.
            state.Write("a.staged", [2]);
        }
        using (var state = StateDirectory.Open(directory))
        {
            Assert.Equal([1], state.TryRead("a"));
            state.Write("b.staged", [2]);
            state.Write("staged", "+a\n+b\n+moved\n-gone"u8);
        }
        using var after = StateDirectory.Open(directory);
        Assert.Equal([2], after.TryRead("a"));
        Assert.Equal([2], after.TryRead("b"));
        Assert.Null(after.TryRead("gone"));
        Assert.Null(after.TryRead("staged"));
        after.WriteTogether([("a", [3]), ("b", null)]);
        Assert.Equal([3], after.TryRead("a"));
        Assert.Null(after.TryRead("b"));
    }

    private TrustVerdict Judge() => CoordinatorTrust.Judge(
        _coordinator.Server.Keys.ServerCertificate().TargetCertificate, _coordinator.Server.Keys.Pin.Span, _coordinator.Clock.GetUtcNow(), out _);

    private Task<Said> NearAsync(params string[] verb) => Said.ByAsync([.. verb, "--state-dir", _coordinator.StateDirectory]);

    private Task<Said> FarAsync(params string[] verb) => Said.ByAsync(_environment, [.. verb, "--coordinator", _coordinator.AdminAddress]);
}
