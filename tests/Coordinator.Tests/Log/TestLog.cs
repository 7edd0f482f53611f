using Mesh.Coordinator.Log;
using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Tests.Log;

/// <summary>A log file with a key and a signer of its own, for one test.</summary>
internal sealed class TestLog : IDisposable
{
    public static readonly DateTimeOffset Time = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _dataKey = new byte[DataKey.Length];

    public TestLog()
    {
        Random.Shared.NextBytes(_dataKey);
        SqliteEventStore.Create(Path, Network);
    }

    public NetworkId Network { get; } = NetworkId.New();

    public TestSigner Signer { get; } = new();

    public string Directory => _directory.Path;

    public string Path => System.IO.Path.Combine(_directory.Path, "log.db");

    public EventLog Open(TimeProvider? time = null) =>
        Over(SqliteEventStore.Open(Path, time ?? new ManualClock(), TimeSpan.FromSeconds(20)));

    public EventLog Over(IEventStore store) => new(store, new PayloadSealer(store.Network, new DataKey(_dataKey)), Signer);

    public LogVerification Verify() => LogVerifier.Verify(Path, Signer.RootSpki);

    public static EventDraft Draft(int number) =>
        new(EventKind.NodeDeleted, BitConverter.GetBytes(number), Actor.LocalAdmin(1000), IdempotencyKey.New(), Time);

    /// <summary>Appends one event a batch, or all in one.</summary>
    public async Task FillAsync(int events, int batch = 1)
    {
        await using var log = Open();
        var point = LogPoint.Start;
        for (var number = 0; number < events;)
        {
            var step = log.Begin(point);
            for (var i = 0; i < batch && number < events; i++)
                step.Add(Draft(number++));
            Assert.NotNull(await log.AppendAsync(step));
            point = step.End;
        }
    }

    /// <summary>Does something to the file behind everyone's back.</summary>
    public void Sql(string sql, params object[] values)
    {
        using var connection = new SqliteConnection($"Data Source={Path};Pooling=False;Foreign Keys=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        for (var i = 0; i < values.Length; i++)
            command.Parameters.AddWithValue($"${i + 1}", values[i]);
        command.ExecuteNonQuery();
    }

    public static async Task<List<LogEntry>> ReadAsync(EventLog log, LogPoint after = default)
    {
        var entries = new List<LogEntry>();
        await foreach (var entry in log.ReadAfterAsync(after))
            entries.Add(entry);
        return entries;
    }

    public void Dispose()
    {
        Signer.Dispose();
        _directory.Dispose();
    }
}
