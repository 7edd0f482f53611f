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

    [Fact]
    public async Task Any_flipped_byte_of_an_events_record_in_the_file_is_found()
    {
        await _file.FillAsync(3);
        var bytes = File.ReadAllBytes(_file.Path);
        byte[] header;
        using (var connection = new SqliteConnection($"Data Source={_file.Path};Pooling=False;Foreign Keys=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "SELECT header FROM events WHERE position = 2";
            header = (byte[])command.ExecuteScalar()!;
        }

        var start = bytes.AsSpan().IndexOf(header);
        Assert.True(start > 0);
        // From the record's own length and types (some ten bytes before the header) to the end of its payload: a header of
        // 76, three times 32, and 44 of sealed payload.
        for (var i = start - 12; i < start + 76 + 96 + 44; i++)
        {
            bytes[i] ^= 0x10;
            File.WriteAllBytes(_file.Path, bytes);
            Assert.False(_file.Verify().IsValid, $"byte {i - start} from the header");
            bytes[i] ^= 0x10;
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
}
