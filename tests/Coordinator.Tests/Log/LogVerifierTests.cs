using Mesh.Coordinator.Log;
using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Tests.Log;

public sealed class LogVerifierTests : IDisposable
{
    private readonly TestLog _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public async Task A_log_that_nobody_touched_verifies()
    {
        await _file.FillAsync(1200, batch: 7);
        var result = _file.Verify();
        Assert.Empty(result.Problems);
        Assert.Equal((1200, 1200, 172), (result.Events, result.End.Position, result.Heads));
        Assert.Equal(_file.Network, result.Network);
    }

    [Fact]
    public async Task A_log_verifies_while_its_writer_has_it_open()
    {
        await using var log = _file.Open();
        var batch = log.Begin(LogPoint.Start);
        batch.Add(TestLog.Draft(1));
        await log.AppendAsync(batch);
        Assert.Equal(batch.End, _file.Verify().End);
    }

    [Fact]
    public async Task An_erased_payload_is_told_and_is_no_problem()
    {
        await _file.FillAsync(5);
        _file.Sql("UPDATE events SET salt = NULL, payload = NULL WHERE position = 2");
        var result = _file.Verify();
        Assert.True(result.IsValid);
        Assert.Equal([2L], result.Erased);
    }

    [Fact]
    public async Task Half_an_erasure_is_a_problem()
    {
        await _file.FillAsync(3);
        _file.Sql("UPDATE events SET payload = NULL WHERE position = 2");
        Assert.Equal([new LogProblem(2, LogProblemKind.ChangedPayload)], _file.Verify().Problems);
    }

    [Theory]
    [InlineData("DELETE FROM events WHERE position = 3", LogProblemKind.Missing)]
    [InlineData("DELETE FROM events WHERE position = 1", LogProblemKind.Missing)]
    [InlineData("DELETE FROM events WHERE position = 6", LogProblemKind.HeadElsewhere)]
    [InlineData("DELETE FROM heads WHERE position = 6", LogProblemKind.Unsigned)]
    [InlineData("DELETE FROM heads", LogProblemKind.Unsigned)]
    [InlineData("DELETE FROM log_keys", LogProblemKind.Malformed)]
    [InlineData("UPDATE heads SET position = 99 WHERE position = 6", LogProblemKind.HeadElsewhere)]
    [InlineData("INSERT INTO events SELECT 7, header, previous_hash, hash, salt, payload FROM events WHERE position = 6", LogProblemKind.BadHeader)]
    [InlineData("INSERT INTO events SELECT -1, header, previous_hash, hash, salt, payload FROM events WHERE position = 6", LogProblemKind.Missing)]
    [InlineData("UPDATE events SET position = -position WHERE position IN (3, 4); UPDATE events SET position = 7 + position WHERE position < 0", LogProblemKind.BadHeader)]
    [InlineData("UPDATE network SET id = zeroblob(16)", LogProblemKind.BadSignature)]
    [InlineData("UPDATE events SET header = (SELECT header FROM events WHERE position = 2) WHERE position = 3", LogProblemKind.BadHeader)]
    [InlineData("UPDATE events SET salt = zeroblob(32) WHERE position = 3", LogProblemKind.ChangedPayload)]
    public async Task Missing_added_moved_and_changed_rows_are_found(string change, LogProblemKind kind)
    {
        await _file.FillAsync(6);
        _file.Sql(change);
        Assert.Contains(_file.Verify().Problems, problem => problem.Kind == kind);
    }

    [Theory]
    [InlineData("events", "header")]
    [InlineData("events", "previous_hash")]
    [InlineData("events", "hash")]
    [InlineData("events", "salt")]
    [InlineData("events", "payload")]
    [InlineData("heads", "hash")]
    [InlineData("heads", "signature")]
    [InlineData("log_keys", "certificate")]
    public async Task Any_flipped_byte_of_a_row_is_found(string table, string column)
    {
        await _file.FillAsync(3);
        var key = table == "log_keys" ? "number = 1" : "position = 2";
        using var connection = new SqliteConnection($"Data Source={_file.Path};Pooling=False;Foreign Keys=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA synchronous = OFF; SELECT {column} FROM {table} WHERE {key}";
        var original = (byte[])command.ExecuteScalar()!;
        command.CommandText = $"UPDATE {table} SET {column} = $value WHERE {key}";
        var parameter = command.Parameters.AddWithValue("$value", original);
        for (var i = 0; i < original.Length; i++)
        {
            var changed = original.ToArray();
            changed[i] ^= (byte)(1 << (i % 8));
            parameter.Value = changed;
            command.ExecuteNonQuery();
            Assert.False(_file.Verify().IsValid, $"{table}.{column}, byte {i}");
        }

        parameter.Value = original;
        command.ExecuteNonQuery();
        Assert.True(_file.Verify().IsValid);
    }

    /// <summary>
    /// Byte by byte in the file itself: the length, position and column types that SQLite writes before a record's values, too.
    /// </summary>
    [Theory]
    [InlineData("events", "header, previous_hash, hash, salt, payload")]
    [InlineData("heads", "hash, signature")]
    [InlineData("snapshots", "hash, state, signature")]
    [InlineData("log_keys", "certificate")]
    public async Task Any_flipped_byte_of_a_rows_record_in_the_file_is_found(string table, string columns)
    {
        await _file.FillAsync(3);
        await using (var log = _file.Open())
        {
            foreach (var entry in await TestLog.ReadAsync(log))
                await log.WriteSnapshotAsync(entry.Point, new byte[100]);
        }

        var bytes = File.ReadAllBytes(_file.Path);
        var values = ReadRow(table, columns);
        var start = bytes.AsSpan().IndexOf([.. values.SelectMany(value => value)]);
        Assert.True(start > 0);
        // https://sqlite.org/fileformat2.html#record_format: length, row id, then the header: its own length and a type for
        // each column, of which the row id's alias, and a log key's number that is 1, have no value behind it.
        var types = 1 + values.Sum(value => VarintBytes((2 * value.Length) + 12)) + (table is "heads" or "snapshots" ? 1 : 0);
        var length = 1 + types + values.Sum(value => value.Length);
        start -= VarintBytes(length) + 1 + 1 + types;
        length += VarintBytes(length) + 1;
        for (var i = start; i < start + length; i++)
        {
            foreach (var flip in new byte[] { 0x01, 0x10 })
            {
                bytes[i] ^= flip;
                File.WriteAllBytes(_file.Path, bytes);
                Assert.False(_file.Verify().IsValid, $"{table}: byte {i - start} of {length}, bit {flip:x2}");
                bytes[i] ^= flip;
            }
        }

        File.WriteAllBytes(_file.Path, bytes);
        Assert.True(_file.Verify().IsValid);
    }

    [Fact]
    public async Task A_rewritten_log_with_a_chain_of_its_own_is_refused_for_want_of_the_signature()
    {
        await _file.FillAsync(4);
        using var forger = new TestSigner();
        using var forged = new TemporaryDirectory();
        var path = Path.Combine(forged, "log.db");
        SqliteEventStore.Create(path, _file.Network);
        await using (var log = new EventLog(
            SqliteEventStore.Open(path, TimeProvider.System), new PayloadSealer(_file.Network, DataKey.New()), forger))
        {
            var batch = log.Begin(LogPoint.Start);
            for (var i = 0; i < 4; i++)
                batch.Add(TestLog.Draft(i));
            await log.AppendAsync(batch);
        }

        Assert.True(LogVerifier.Verify(path, forger.RootSpki).IsValid);
        var result = LogVerifier.Verify(path, _file.Signer.RootSpki);
        Assert.Contains(result.Problems, problem => problem.Kind == LogProblemKind.BadSignature);
        Assert.Contains(result.Problems, problem => problem.Kind == LogProblemKind.Unsigned);
    }

    [Fact]
    public void A_file_that_is_no_log_has_a_typed_error()
    {
        var path = Path.Combine(_file.Directory, "x.db");
        Assert.Equal(LogStoreFault.NotFound, Assert.Throws<LogStoreException>(() => LogVerifier.Verify(path, _file.Signer.RootSpki)).Fault);
        File.WriteAllBytes(path, new byte[5000]);
        Assert.Equal(LogStoreFault.Damaged, Assert.Throws<LogStoreException>(() => LogVerifier.Verify(path, _file.Signer.RootSpki)).Fault);
    }

    private static int VarintBytes(int value) => value < 0x80 ? 1 : 2;

    /// <summary>The second row's columns, or the first's of the log keys.</summary>
    private List<byte[]> ReadRow(string table, string columns)
    {
        using var connection = new SqliteConnection($"Data Source={_file.Path};Pooling=False;Foreign Keys=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"SELECT {columns} FROM {table} WHERE {(table == "log_keys" ? "number = 1" : "position = 2")}";
        using var reader = command.ExecuteReader();
        Assert.True(reader.Read());
        return [.. Enumerable.Range(0, reader.FieldCount).Select(column => (byte[])reader.GetValue(column))];
    }
}
