using Mesh.Crypto;
using Mesh.Node.Cli;
using Mesh.Node.Control;
using Mesh.Node.State;
using Mesh.Node.Tests.Control;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.State;

public sealed class StateTests : IDisposable
{
    private const UnixFileMode Mode0700 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Mode0600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_state_directory_is_made_0700_and_one_with_wider_rights_is_tightened_with_all_in_it()
    {
        string path = _directory.File("state");
        using (StateDirectory.Open(path)) Assert.Equal(Mode0700, File.GetUnixFileMode(path));
        File.WriteAllText(Path.Combine(path, "machine.key"), "x");
        File.SetUnixFileMode(path, Mode0700 | UnixFileMode.OtherRead | UnixFileMode.GroupExecute);
        File.SetUnixFileMode(Path.Combine(path, "machine.key"), Mode0600 | UnixFileMode.OtherRead);
        using (StateDirectory.Open(path))
        {
            Assert.Equal(Mode0700, File.GetUnixFileMode(path));
            Assert.Equal(Mode0600, File.GetUnixFileMode(Path.Combine(path, "machine.key")));
        }
    }

    [Fact]
    public void A_second_daemon_is_told_that_the_state_directory_is_in_use_and_gets_it_once_the_first_is_gone()
    {
        using (StateDirectory.Open(_directory.Path))
            Assert.Equal(ExitCode.StateDirectoryInUse, Assert.Throws<UserException>(() => StateDirectory.Open(_directory.Path)).Code);
        StateDirectory.Open(_directory.Path).Dispose();
    }

    [Fact]
    public void A_state_directory_that_cannot_be_made_is_explained()
    {
        File.WriteAllText(_directory.File("file"), "");
        var error = Assert.Throws<UserException>(() => StateDirectory.Open(_directory.File("file/state")));
        Assert.Equal(ExitCode.StateUnusable, error.Code);
        Assert.NotNull(error.Next);
    }

    [Fact]
    public void Keys_are_made_once_kept_0600_and_stay_the_same()
    {
        using var state = StateDirectory.Open(_directory.Path);
        using var machine = MachineIdentity.LoadOrCreate(state);
        using var node = NodeKeyFile.LoadOrCreate(state);
        using var machineAgain = MachineIdentity.LoadOrCreate(state);
        using var nodeAgain = NodeKeyFile.LoadOrCreate(state);
        Assert.True(machine.Spki.Span.SequenceEqual(machineAgain.Spki.Span));
        Assert.Equal(node.PublicKey, nodeAgain.PublicKey);
        foreach (string file in (string[])["machine.key", "node.key"])
            Assert.Equal(Mode0600, File.GetUnixFileMode(_directory.File(file)));
        Assert.True(machineAgain.Certificate.HasPrivateKey);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
    public void A_damaged_machine_key_is_not_replaced_but_explained(string content)
    {
        using var state = StateDirectory.Open(_directory.Path);
        File.WriteAllText(_directory.File("machine.key"), content);
        Assert.Equal(ExitCode.StateUnusable, Assert.Throws<UserException>(() => MachineIdentity.LoadOrCreate(state)).Code);
        Assert.Equal(content, File.ReadAllText(_directory.File("machine.key")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("AAAA")]
    [InlineData("!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!")]
    public void A_damaged_node_key_is_not_replaced_but_explained(string content)
    {
        using var state = StateDirectory.Open(_directory.Path);
        File.WriteAllText(_directory.File("node.key"), content);
        Assert.Equal(ExitCode.StateUnusable, Assert.Throws<UserException>(() => NodeKeyFile.LoadOrCreate(state)).Code);
        Assert.Equal(content, File.ReadAllText(_directory.File("node.key")));
    }

    [Fact]
    public void What_was_joined_survives_a_restart()
    {
        using var state = StateDirectory.Open(_directory.Path);
        Assert.Null(JoinInfo.Load(state));
        var join = new JoinInfo("fd00::1", 7700, new byte[32], "default", new byte[16], ulong.MaxValue, "host.example",
            [UdpEndpoint.Parse("[2001:db8::1]:51820")], 1400, WantUp: false);
        join.Save(state);
        var read = JoinInfo.Load(state)!;
        Assert.Equal(join.Link.ToString(), read.Link.ToString());
        Assert.Equal((join.NodeId, join.Hostname, join.Mtu, join.WantUp), (read.NodeId, read.Hostname, read.Mtu, read.WantUp));
        Assert.Equal(join.StaticEndpoints, read.StaticEndpoints);
        Assert.True(join.NetworkId.Span.SequenceEqual(read.NetworkId.Span));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"version\":2}")]
    [InlineData("[1,2")]
    public void A_damaged_join_file_is_explained(string content)
    {
        using var state = StateDirectory.Open(_directory.Path);
        File.WriteAllText(_directory.File("join.json"), content);
        Assert.Equal(ExitCode.StateUnusable, Assert.Throws<UserException>(() => JoinInfo.Load(state)).Code);
    }

    [Fact]
    public void The_last_map_is_kept_0600_and_a_damaged_one_is_left_unused()
    {
        using var state = StateDirectory.Open(_directory.Path);
        NetworkMap.Create(MapSamples.Snapshot(1, 2), out var map);
        MapFile.Save(state, map!);
        Assert.Equal(Mode0600, File.GetUnixFileMode(_directory.File("map.bin")));
        Assert.Equal(2, MapFile.Load(state, out string? damage)!.Peers.Count);
        Assert.Null(damage);
        byte[] bytes = File.ReadAllBytes(_directory.File("map.bin"));
        File.WriteAllBytes(_directory.File("map.bin"), bytes[..(bytes.Length / 2)]);
        Assert.Null(MapFile.Load(state, out damage));
        Assert.NotNull(damage);
    }

    [Fact]
    public async Task The_map_is_written_at_most_once_a_second_and_at_the_end()
    {
        using var state = StateDirectory.Open(_directory.Path);
        var time = new ManualTime();
        var saver = new MapSaver(state, time, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        NetworkMap.Create(MapSamples.Snapshot(1), out var one);
        NetworkMap.Create(MapSamples.Snapshot(1, 2), out var two);
        NetworkMap.Create(MapSamples.Snapshot(1, 2, 3), out var three);
        saver.Mark(one!);
        saver.Mark(two!);
        Assert.Null(MapFile.Load(state, out _));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2, MapFile.Load(state, out _)!.Peers.Count);
        saver.Mark(three!);
        Assert.Equal(2, MapFile.Load(state, out _)!.Peers.Count);
        await saver.DisposeAsync();
        Assert.Equal(3, MapFile.Load(state, out _)!.Peers.Count);
    }

    [Fact]
    public void The_bound_on_time_stamps_survives_a_restart_with_the_clock_set_back()
    {
        using var state = StateDirectory.Open(_directory.Path);
        Assert.Equal(default, TimestampFile.Load(state));
        var time = new ManualTime();
        var clock = new Mesh.Node.Device.InitiationClock(time, TimestampFile.Load(state), bound => TimestampFile.Save(state, bound));
        var last = clock.Next();
        time.Jump(time.GetUtcNow().AddYears(-1));
        var afterRestart = new Mesh.Node.Device.InitiationClock(time, TimestampFile.Load(state), bound => TimestampFile.Save(state, bound));
        Assert.True(afterRestart.Next() > last);
        File.WriteAllBytes(_directory.File("tai64n"), [1, 2, 3]);
        Assert.Throws<UserException>(() => TimestampFile.Load(state));
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_file_and_nothing_else()
    {
        string path = _directory.File("value");
        AtomicFile.Write(path, "old"u8);
        Directory.CreateDirectory(path + ".new");
        Assert.ThrowsAny<Exception>(() => AtomicFile.Write(path, "new"u8));
        Assert.Equal("old", File.ReadAllText(path));
    }
}
