using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;

namespace Mesh.Coordinator.Tests.Hosting;

public sealed class StateDirectoryTests : IDisposable
{
    private const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_second_process_is_told_so_with_an_exit_code_of_its_own()
    {
        using var first = StateDirectory.Open(_directory);
        var failure = Assert.Throws<StartFailure>(() => StateDirectory.Open(_directory));
        Assert.Equal(ExitCode.StateDirectoryInUse, failure.ExitCode);
        first.Dispose();
        StateDirectory.Open(_directory).Dispose();
    }

    [Fact]
    public void A_wide_directory_is_tightened_not_refused()
    {
        File.SetUnixFileMode(_directory, Owner | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.OtherExecute);
        using var state = StateDirectory.Open(_directory);
        Assert.True(state.WasTightened);
        Assert.Equal(Owner | UnixFileMode.UserExecute, File.GetUnixFileMode(_directory));
    }

    [Fact]
    public void A_file_where_the_directory_should_be_is_a_clear_failure()
    {
        string file = Path.Combine(_directory, "taken");
        File.WriteAllText(file, "");
        Assert.Equal(ExitCode.StateDirectoryUnusable, Assert.Throws<StartFailure>(() => StateDirectory.Open(file)).ExitCode);
    }

    [Fact]
    public void A_write_replaces_the_whole_file()
    {
        using var state = StateDirectory.Open(_directory);
        state.Write("x", [1, 2, 3, 4]);
        state.Write("x", [5]);
        Assert.Equal([5], state.TryRead("x"));
        Assert.Equal(Owner, File.GetUnixFileMode(state.File("x")));
        Assert.False(File.Exists(state.File("x.new")));
    }
}
