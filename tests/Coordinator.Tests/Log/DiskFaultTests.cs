using System.Diagnostics;
using Mesh.Coordinator.Log;
using EventLog = Mesh.Coordinator.Log.EventLog;

namespace Mesh.Coordinator.Tests.Log;

/// <summary>Real disks that fill up and turn read-only: small tmpfs mounts, for which the tests must be root.</summary>
public sealed class DiskFaultTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly TestSigner _signer = new();
    private readonly NetworkId _network = NetworkId.New();
    private readonly bool _mounted;

    public DiskFaultTests() => _mounted = Run("mount", "-t", "tmpfs", "-o", "size=384k", "tmpfs", _directory.Path);

    public void Dispose()
    {
        if (_mounted)
            Run("umount", _directory.Path);
        _signer.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_full_disk_refuses_what_it_cannot_hold_keeps_the_rest_and_goes_on_with_room()
    {
        Assert.SkipUnless(_mounted, "needs the right to mount");
        var path = Path.Combine(_directory, "log.db");
        SqliteEventStore.Create(path, _network);
        var ballast = Path.Combine(_directory, "ballast");
        File.WriteAllBytes(ballast, new byte[64 * 1024]);
        var point = LogPoint.Start;
        await using (var log = Open(path))
        {
            LogStoreException? fault = null;
            while (fault is null)
            {
                var batch = log.Begin(point);
                batch.Add(TestLog.Draft(1) with { Payload = new byte[3000] });
                try
                {
                    Assert.NotNull(await log.AppendAsync(batch));
                    point = batch.End;
                }
                catch (LogStoreException e)
                {
                    fault = e;
                }
            }

            Assert.Equal(LogStoreFault.DiskFull, fault.Fault);
            Assert.True(point.Position > 0);
            Assert.Equal(point, (await TestLog.ReadAsync(log))[^1].Point);

            File.Delete(ballast);
            var next = log.Begin(point);
            next.Add(TestLog.Draft(2));
            Assert.NotNull(await log.AppendAsync(next));
            point = next.End;
        }

        await using var again = Open(path);
        Assert.Equal(point, (await TestLog.ReadAsync(again))[^1].Point);
    }

    [Fact]
    public void A_read_only_disk_says_so()
    {
        Assert.SkipUnless(_mounted, "needs the right to mount");
        var path = Path.Combine(_directory, "log.db");
        SqliteEventStore.Create(path, _network);
        Assert.True(Run("mount", "-o", "remount,ro", _directory.Path));
        var e = Assert.Throws<LogStoreException>(() => SqliteEventStore.Open(path, TimeProvider.System));
        Assert.Equal(LogStoreFault.AccessDenied, e.Fault);
    }

    [Fact]
    public async Task A_copy_on_a_read_only_disk_can_be_verified()
    {
        Assert.SkipUnless(_mounted, "needs the right to mount");
        using var file = new TestLog();
        await file.FillAsync(5);
        var copy = Path.Combine(_directory, "copy of a log?.db");
        File.Copy(file.Path, copy);
        Assert.True(Run("mount", "-o", "remount,ro", _directory.Path));
        var result = LogVerifier.Verify(copy, file.Signer.RootSpki);
        Assert.True(result.IsValid);
        Assert.Equal(5, result.End.Position);
    }

    private EventLog Open(string path) => new(
        SqliteEventStore.Open(path, TimeProvider.System), new PayloadSealer(_network, new DataKey(new byte[32])), _signer);

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
            using var process = Process.Start(start)!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
