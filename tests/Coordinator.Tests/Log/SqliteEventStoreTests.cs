using Mesh.Coordinator.Log;
using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Tests.Log;

public sealed class SqliteEventStoreTests : IDisposable
{
    private readonly TestLog _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task Events_read_back_as_they_were_appended_also_after_a_reopen()
    {
        var drafts = Enumerable.Range(0, 1300).Select(TestLog.Draft).ToList(); // More than two pages of a reader.
        LogPoint end;
        await using (var log = _file.Open())
        {
            var batch = log.Begin(LogPoint.Start);
            drafts.ForEach(draft => batch.Add(draft));
            var head = await log.AppendAsync(batch);
            end = batch.End;
            Assert.Equal(end, head!.Point);
        }

        await using var again = _file.Open();
        var entries = await TestLog.ReadAsync(again);
        Assert.Equal(drafts.Select(draft => draft.Payload), entries.Select(entry => entry.Payload!));
        Assert.Equal(drafts.Select(draft => draft.IdempotencyKey), entries.Select(entry => entry.Header.IdempotencyKey));
        Assert.Equal(end, entries[^1].Point);
        Assert.Equal(end, (await again.ReadHeadAsync())!.Point);
        Assert.Equal(entries.Skip(1000).Select(entry => entry.Hash), (await TestLog.ReadAsync(again, entries[999].Point)).Select(e => e.Hash));
    }

    [Fact]
    public async Task Of_two_writers_who_append_after_one_point_only_the_first_is_stored()
    {
        await using var one = _file.Open();
        await using var two = _file.Open();
        var first = one.Begin(LogPoint.Start);
        first.Add(TestLog.Draft(1));
        var second = two.Begin(LogPoint.Start);
        second.Add(TestLog.Draft(2));
        Assert.NotNull(await one.AppendAsync(first));
        Assert.Null(await two.AppendAsync(second));
        Assert.Equal(first.End, Assert.Single(await TestLog.ReadAsync(two)).Point);

        // Nor after a position that is right with a hash that is not.
        var forked = two.Begin(second.End);
        forked.Add(TestLog.Draft(3));
        Assert.Null(await two.AppendAsync(forked));
        Assert.Single(await TestLog.ReadAsync(one));
    }

    [Fact]
    public async Task Two_writers_who_try_again_lose_and_double_nothing()
    {
        const int EventsEach = 150;
        await using var one = _file.Open();
        await using var two = _file.Open();
        await Task.WhenAll(Task.Run(() => WriteAsync(one, 0)), Task.Run(() => WriteAsync(two, EventsEach)));
        var numbers = (await TestLog.ReadAsync(one)).Select(entry => BitConverter.ToInt32(entry.Payload!)).ToList();
        Assert.Equal(Enumerable.Range(0, 2 * EventsEach), numbers.Order());
        Assert.True(_file.Verify().IsValid);

        async Task WriteAsync(EventLog log, int from)
        {
            var point = LogPoint.Start;
            for (var number = from; number < from + EventsEach;)
            {
                var batch = log.Begin(point);
                batch.Add(TestLog.Draft(number));
                if (await log.AppendAsync(batch) is not null)
                {
                    number++;
                    point = batch.End;
                }
                else
                {
                    point = (await TestLog.ReadAsync(log, point))[^1].Point;
                }
            }
        }
    }

    [Fact]
    public async Task A_store_is_told_of_what_another_appends()
    {
        var clock = new ManualClock();
        await using var reader = _file.Open(clock);
        var told = new List<long>();
        using (reader.OnAppended(told.Add))
        {
            clock.Advance(TimeSpan.FromSeconds(5));
            Assert.Empty(told);
            await _file.FillAsync(3);
            clock.Advance(TimeSpan.FromSeconds(1));
            Assert.Equal([3L], told);
        }

        clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal([3L], told);
    }

    [Fact]
    public async Task The_files_are_their_owners_alone()
    {
        await using var log = _file.Open();
        var batch = log.Begin(LogPoint.Start);
        batch.Add(TestLog.Draft(1));
        await log.AppendAsync(batch);
        var files = System.IO.Directory.GetFiles(_file.Directory);
        Assert.Contains(files, file => file.EndsWith("-wal", StringComparison.Ordinal));
        Assert.All(files, file => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file)));
    }

    [Fact]
    public async Task No_payload_stands_in_the_file_in_the_clear()
    {
        await using (var log = _file.Open())
        {
            var batch = log.Begin(LogPoint.Start);
            batch.Add(TestLog.Draft(0) with { Payload = "alice@example.com"u8.ToArray() });
            await log.AppendAsync(batch);
        }

        Assert.Equal(-1, File.ReadAllBytes(_file.Path).AsSpan().IndexOf("alice"u8));
    }

    [Fact]
    public async Task A_store_that_another_process_holds_says_so_and_goes_on_when_it_is_free()
    {
        await using var log = _file.Over(SqliteEventStore.Open(_file.Path, new ManualClock(), TimeSpan.FromMilliseconds(20)));
        var batch = log.Begin(LogPoint.Start);
        batch.Add(TestLog.Draft(1));
        using (var other = new SqliteConnection($"Data Source={_file.Path};Pooling=False"))
        {
            other.Open();
            using var command = other.CreateCommand();
            command.CommandText = "BEGIN IMMEDIATE";
            command.ExecuteNonQuery();
            var e = await Assert.ThrowsAsync<LogStoreException>(async () => await log.AppendAsync(batch));
            Assert.Equal(LogStoreFault.Locked, e.Fault);
            Assert.True(e.IsTransient);
        }

        Assert.NotNull(await log.AppendAsync(batch));
    }

    [Fact]
    public void A_missing_file_is_not_made()
    {
        var path = Path.Combine(_file.Directory, "absent.db");
        Assert.Equal(LogStoreFault.NotFound, Assert.Throws<LogStoreException>(() => SqliteEventStore.Open(path, TimeProvider.System)).Fault);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_file_that_is_no_log_is_refused_and_left_alone()
    {
        var path = Path.Combine(_file.Directory, "other.db");
        var garbage = Enumerable.Range(0, 9000).Select(i => (byte)(i * 7)).ToArray();
        File.WriteAllBytes(path, garbage);
        Assert.Equal(LogStoreFault.Damaged, Assert.Throws<LogStoreException>(() => SqliteEventStore.Open(path, TimeProvider.System)).Fault);
        Assert.Equal(garbage, File.ReadAllBytes(path));
        File.WriteAllBytes(path, []);
        Assert.Equal(LogStoreFault.Damaged, Assert.Throws<LogStoreException>(() => SqliteEventStore.Open(path, TimeProvider.System)).Fault);
    }

    [Fact]
    public void A_log_of_a_newer_version_is_refused()
    {
        _file.Sql("PRAGMA user_version = 99");
        Assert.Equal(LogStoreFault.TooNew, Assert.Throws<LogStoreException>(() => _file.Open()).Fault);
    }

    [Fact]
    public async Task A_truncated_file_is_damaged()
    {
        await _file.FillAsync(200, batch: 50);
        using (var file = File.OpenWrite(_file.Path))
            file.SetLength(file.Length / 2);
        var e = await Assert.ThrowsAsync<LogStoreException>(async () =>
        {
            await using var log = _file.Open();
            await TestLog.ReadAsync(log);
        });
        Assert.Equal(LogStoreFault.Damaged, e.Fault);
    }

    [Theory]
    [InlineData("UPDATE events SET payload = x'00' WHERE position = 3")]
    [InlineData("UPDATE events SET header = zeroblob(76) WHERE position = 3")]
    [InlineData("UPDATE events SET hash = zeroblob(32) WHERE position = 3")]
    [InlineData("UPDATE events SET hash = x'01' WHERE position = 3")]
    [InlineData("DELETE FROM events WHERE position = 3")]
    public async Task A_damaged_event_stops_the_reader_there(string damage)
    {
        await _file.FillAsync(5);
        _file.Sql(damage);
        await using var log = _file.Open();
        var read = 0;
        var e = await Assert.ThrowsAsync<LogStoreException>(async () =>
        {
            await foreach (var entry in log.ReadAfterAsync(LogPoint.Start))
                read++;
        });
        Assert.Equal(LogStoreFault.Damaged, e.Fault);
        Assert.Equal(2, read);
    }

    [Fact]
    public async Task Another_networks_data_key_is_told_from_damage()
    {
        await _file.FillAsync(1);
        var store = SqliteEventStore.Open(_file.Path, TimeProvider.System);
        await using var log = new EventLog(store, new PayloadSealer(store.Network, DataKey.New()), _file.Signer);
        var e = await Assert.ThrowsAsync<LogStoreException>(() => TestLog.ReadAsync(log));
        Assert.Equal(LogStoreFault.DataKey, e.Fault);
    }
}
