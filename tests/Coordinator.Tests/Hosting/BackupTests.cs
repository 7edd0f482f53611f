using System.Formats.Tar;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Tests.Cli;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Hosting;

public sealed class BackupTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _files = new();
    private ServedCoordinator _coordinator = null!;

    private string Backup => Path.Combine(_files, "mesh.tar");

    public async ValueTask InitializeAsync() => _coordinator = await ServedCoordinator.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _coordinator.DisposeAsync();
        _files.Dispose();
    }

    [Fact]
    public async Task A_backup_taken_under_writes_restores_to_a_coordinator_that_knows_all_up_to_then_and_nodes_ahead_of_it_get_a_reset()
    {
        await _coordinator.AllowAllAsync();
        using var web = await _coordinator.JoinAsync("web");
        var writing = WriteAsync(40);
        var said = await RunAsync("backup", "--output", Backup);
        await writing;
        Assert.Equal((0, ""), (said.ExitCode, said.Output));
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(Backup));
        Assert.Empty(Directory.GetDirectories(_coordinator.StateDirectory, ".backup-*"));

        TestMap map;
        using (var poll = await web.PollAsync())
        {
            await poll.NextAsync();
            map = poll.Map; // At a position that the backup does not have.
        }

        var restored = new TemporaryDirectory();
        Assert.Equal(0, (await Said.ByAsync("restore", "--input", Backup, "--state-dir", restored)).ExitCode);
        await using var second = await ServedCoordinator.StartAsync(directory: restored, clock: _coordinator.Clock);
        Assert.Equal(_coordinator.Server.Keys.Pin.ToArray(), second.Server.Keys.Pin.ToArray());
        Assert.True(second.Network.Runtime.State.Position < (long)map.Position);
        Assert.NotNull(second.Network.Runtime.State.FindNode(web.NodeId));
        Assert.Equal(0, (await Said.ByAsync("log", "verify", "--state-dir", restored)).ExitCode);
        using var again = new TestMachine(second, web.Certificate);
        using var resumed = await again.PollAsync(map.Token);
        Assert.True((await resumed.NextAsync())!.Snapshot.Reset);
    }

    [Fact]
    public async Task A_node_that_remembers_more_than_the_restored_log_holds_is_told_of_in_the_log()
    {
        await RunAsync("backup", "--output", Backup);
        using var web = await _coordinator.JoinAsync("web");
        LogHead head;
        using (var poll = await web.PollAsync()) head = (await poll.NextAsync())!.Snapshot.Head;
        var restored = new TemporaryDirectory();
        await Said.ByAsync("restore", "--input", Backup, "--state-dir", restored);
        await using var second = await ServedCoordinator.StartAsync(directory: restored, clock: _coordinator.Clock);
        using var again = new TestMachine(second, web.Certificate);
        await again.RegisterAsync(await second.CreateKeyAsync());
        var request = new MapRequest
        {
            Header = TestMachine.Header(), BootId = Google.Protobuf.ByteString.CopyFrom(again.BootId), KnownHead = head,
        };
        using var response = await again.SendAsync(
            NodeApi.Map, Google.Protobuf.MessageExtensions.ToByteArray(request), until: HttpCompletionOption.ResponseHeadersRead);
        Assert.Contains(second.Log.Lines, line => line.Contains(" 1301 ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_backup_that_is_cut_short_or_changed_anywhere_is_refused_and_leaves_nothing()
    {
        using var web = await _coordinator.JoinAsync("web");
        await RunAsync("backup", "--output", Backup);
        var whole = File.ReadAllBytes(Backup);
        var damaged = Path.Combine(_files, "damaged.tar");
        var target = Path.Combine(_files, "target");
        for (var i = 0; i < 12; i++)
        {
            File.WriteAllBytes(damaged, whole[..(whole.Length * i / 12)]);
            Assert.Equal(ExitCode.Refused, (await Said.ByAsync("restore", "--input", damaged, "--state-dir", target)).ExitCode);
        }

        // A byte of each file's content; what pads them means nothing.
        await using (var stream = File.OpenRead(Backup))
        await using (var tar = new TarReader(stream))
        {
            while (await tar.GetNextEntryAsync() is { } entry)
            {
                if (entry.Length == 0) continue;
                var changed = whole.ToArray();
                changed[entry.DataOffset + (entry.Length / 2)] ^= 1;
                File.WriteAllBytes(damaged, changed);
                var said = await Said.ByAsync("restore", "--input", damaged, "--state-dir", target);
                Assert.True(said.ExitCode == ExitCode.Refused || entry.Name == "manifest.json", entry.Name);
                if (Directory.Exists(target)) Directory.Delete(target, recursive: true);
            }
        }

        Assert.Equal([damaged, Backup], Directory.GetFileSystemEntries(_files).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("../evil", TarEntryType.RegularFile)]
    [InlineData("/etc/evil", TarEntryType.RegularFile)]
    [InlineData("networks/../../evil", TarEntryType.RegularFile)]
    [InlineData("networks/default/evil", TarEntryType.RegularFile)]
    [InlineData("lock", TarEntryType.RegularFile)]
    [InlineData("root.key", TarEntryType.SymbolicLink)]
    [InlineData("networks", TarEntryType.Directory)]
    public async Task A_file_that_holds_what_no_backup_does_is_refused(string name, TarEntryType type)
    {
        await using (var stream = File.Create(Backup))
        await using (var tar = new TarWriter(stream))
        {
            var entry = new PaxTarEntry(type, name);
            if (type == TarEntryType.SymbolicLink) entry.LinkName = "/etc/passwd";
            await tar.WriteEntryAsync(entry);
        }

        var target = Path.Combine(_files, "target");
        Assert.Equal(ExitCode.Refused, (await Said.ByAsync("restore", "--input", Backup, "--state-dir", target)).ExitCode);
        Assert.Equal([Backup], Directory.GetFileSystemEntries(_files));
    }

    [Fact]
    public async Task Neither_a_file_nor_a_directory_with_something_in_it_is_overwritten()
    {
        File.WriteAllText(Backup, "mine");
        Assert.Equal(ExitCode.Usage, (await RunAsync("backup", "--output", Backup)).ExitCode);
        Assert.Equal("mine", File.ReadAllText(Backup));
        File.Delete(Backup);
        await RunAsync("backup", "--output", Backup);
        Assert.Equal(ExitCode.Refused, (await Said.ByAsync("restore", "--input", Backup, "--state-dir", _coordinator.StateDirectory)).ExitCode);
        Assert.Equal(ExitCode.Usage, (await Said.ByAsync("restore", "--input", Backup + ".not", "--state-dir", _files)).ExitCode);
    }

    [Fact]
    public async Task A_copied_log_verifies_with_the_roots_public_key_alone_and_a_changed_one_does_not()
    {
        using var web = await _coordinator.JoinAsync("web");
        var copy = Path.Combine(_files, "copy.db");
        Mesh.Coordinator.Log.SqliteEventStore.CopyTo(_coordinator.Server.Networks.Directory.LogPath("default"), copy);
        var root = Path.Combine(_coordinator.StateDirectory, "root.crt");
        var said = await Said.ByAsync("log", "verify", "--file", copy, "--root-key", root);
        Assert.Equal((0, ""), (said.ExitCode, said.Error));
        var text = Path.Combine(_files, "root.txt");
        File.WriteAllText(text, Convert.ToBase64String(_coordinator.Server.Keys.RootSpki.Span) + "\n");
        Assert.Equal(0, (await Said.ByAsync("log", "verify", "--file", copy, "--root-key", text)).ExitCode);

        using var other = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        File.WriteAllText(text, other.ExportSubjectPublicKeyInfoPem());
        Assert.Equal(ExitCode.Refused, (await Said.ByAsync("log", "verify", "--file", copy, "--root-key", text)).ExitCode);
        File.WriteAllText(text, "nonsense");
        Assert.Equal(ExitCode.Usage, (await Said.ByAsync("log", "verify", "--file", copy, "--root-key", text)).ExitCode);
        Assert.Equal(ExitCode.Usage, (await Said.ByAsync("log", "verify", "--file", copy)).ExitCode);
        Assert.Equal(ExitCode.Usage, (await Said.ByAsync("log", "verify")).ExitCode);
        Assert.Equal(ExitCode.Refused, (await Said.ByAsync("log", "verify", "--file", copy + ".not", "--root-key", root)).ExitCode);
    }

    [Fact]
    public async Task A_persons_data_is_erased_by_the_command_line_after_their_machines_are_gone()
    {
        await RunAsync("users", "create", "ann");
        await RunAsync("keys", "create", "--user", "ann");
        Assert.Equal(ExitCode.Usage, (await RunAsync("log", "erase", "--user", "ann")).ExitCode);
        var inUse = await RunAsync("log", "erase", "--user", "ann", "--yes");
        Assert.Equal(ExitCode.Refused, inUse.ExitCode);
        Assert.Contains("users delete", inUse.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("users", "delete", "ann", "--yes")).ExitCode);
        Assert.Equal((0, "2 events erased\n"), ((await RunAsync("log", "erase", "--user", "ann", "--yes")) is var said ? (said.ExitCode, said.Output) : default));
        Assert.DoesNotContain("for ann", (await RunAsync("log", "list")).Output, StringComparison.Ordinal);
        Assert.Contains("2 erased", (await RunAsync("log", "verify")).Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await RunAsync("log", "erase", "--yes")).ExitCode);
    }

    private async Task WriteAsync(int keys)
    {
        for (var i = 0; i < keys; i++) await _coordinator.CreateKeyAsync();
    }

    private Task<Said> RunAsync(params string[] arguments) => Said.ByAsync([.. arguments, "--state-dir", _coordinator.StateDirectory]);
}
