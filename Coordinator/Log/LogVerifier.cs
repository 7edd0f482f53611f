using System.Security.Cryptography;
using Mesh.Protocol.Control;
using Microsoft.Data.Sqlite;

namespace Mesh.Coordinator.Log;

/// <summary>
/// Checks a log's file, a running coordinator's or a copy, with nothing but the root's public key: every row is what its chain
/// says, every head and snapshot is signed by a log key that the root vouches for, and every event lies under a head. Payloads stay
/// sealed; erased ones are told. What no file alone can show is that its newest events were cut off together with
/// their heads: for that, compare the end with a head that a node or an earlier check saw.
/// </summary>
public static class LogVerifier
{
    /// <summary>Problems told; a file that is wrong all over is told to be so by this many.</summary>
    public const int MaxProblems = 100;

    private const int PageRows = 512;

    /// <param name="rootSpki">The root's SubjectPublicKeyInfo.</param>
    /// <exception cref="LogStoreException">The file is not there, may not be read, or is no log of this version.</exception>
    public static LogVerification Verify(string path, ReadOnlySpan<byte> rootSpki, CancellationToken cancellationToken = default) =>
        Verify(path, [rootSpki.ToArray()], cancellationToken);

    /// <param name="roots">SubjectPublicKeyInfos: the present root's, and those before it under which a part of the log was signed.</param>
    /// <exception cref="LogStoreException">As above.</exception>
    public static LogVerification Verify(string path, IReadOnlyList<byte[]> roots, CancellationToken cancellationToken = default)
    {
        return SqliteFaults.Translate(path, () =>
        {
            using var connection = SqliteLogFile.OpenReadOnly(path);
            var network = SqliteLogFile.ReadIdentity(connection, path);
            // One snapshot of the file, though its coordinator goes on writing.
            SqliteLogFile.Execute(connection, "BEGIN");
            using var pass = new Pass(connection, network, roots, cancellationToken);
            return pass.Run();
        });
    }

    private sealed class Pass(
        SqliteConnection connection, NetworkId network, IReadOnlyList<byte[]> roots, CancellationToken cancellationToken) : IDisposable
    {
        private readonly List<LogProblem> _problems = [];
        private readonly List<long> _erased = [];
        private readonly Queue<SignedHead> _heads = new();
        private LogPoint _end;
        private long _events;
        private long _headCount;
        private long? _nextHeadFrom = long.MinValue;
        private long _lastHead;
        private readonly Dictionary<long, LogPoint> _snapshots = [];
        private byte[]? _certificate;
        private ECDsa? _logKey;

        public void Dispose() => _logKey?.Dispose();

        public LogVerification Run()
        {
            CheckPages();
            try
            {
                CheckSnapshots();
                CheckEvents();
                while (NextHead() is { } head)
                {
                    Note(head.Point.Position, LogProblemKind.HeadElsewhere);
                    _heads.Dequeue();
                }

                foreach (var position in _snapshots.Keys)
                    Note(position, LogProblemKind.BadSnapshot);
            }
            catch (SqliteException e) when (e.SqliteErrorCode is 11 or 26) // SQLITE_CORRUPT, SQLITE_NOTADB
            {
                Note(_end.Position + 1, LogProblemKind.Malformed);
            }

            if (_end.Position > _lastHead)
                Note(_lastHead + 1, LogProblemKind.Unsigned);
            return new LogVerification(network, _end, _events, _headCount, _erased, _problems);
        }

        private void CheckPages()
        {
            try
            {
                using var command = connection.CreateCommand();
                command.CommandText = "PRAGMA integrity_check(1)";
                if (command.ExecuteScalar() is "ok")
                    return;
            }
            catch (SqliteException e) when (e.SqliteErrorCode is 11 or 26)
            {
                // Told below.
            }

            Note(0, LogProblemKind.Malformed);
        }

        private void CheckEvents()
        {
            // Positions start at 1, but a row that someone added may stand anywhere.
            var from = long.MinValue;
            while (_problems.Count < MaxProblems)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var page = SqliteLogRows.ReadEvents(connection, from, PageRows);
                foreach (var row in page)
                {
                    if (row is null)
                    {
                        Note(_end.Position + 1, LogProblemKind.Malformed);
                        return; // Without its position there is no going on behind it.
                    }

                    CheckEvent(row);
                }

                if (page.Count < PageRows || page[^1]!.Position == long.MaxValue)
                    return;
                from = page[^1]!.Position + 1;
            }
        }

        private void CheckEvent(EventRow row)
        {
            _events++;
            var problem = LogRowCheck.Check(row, _end, out _);
            if (problem is not LogProblemKind.None)
                Note(problem == LogProblemKind.Missing ? _end.Position + 1 : row.Position, problem);
            else if (row.SealedPayload is null)
                _erased.Add(row.Position);
            // Goes on from what the row claims, so that one changed row is one problem.
            _end = new LogPoint(row.Position, row.Hash);
            if (_snapshots.Remove(row.Position, out var snapshot) && snapshot != _end)
                Note(row.Position, LogProblemKind.BadSnapshot);
            while (NextHead() is { } head && head.Point.Position <= row.Position)
            {
                CheckHead(head);
                _heads.Dequeue();
            }
        }

        private void CheckHead(SignedHead head)
        {
            if (head.Point != _end)
                Note(head.Point.Position, LogProblemKind.HeadElsewhere);
            else if (!IsSigned(head))
                Note(head.Point.Position, LogProblemKind.BadSignature);
            else
                _lastHead = head.Point.Position;
        }

        /// <summary>Notes the points of the snapshots that are signed; the events' pass tells whether the log has them.</summary>
        private void CheckSnapshots()
        {
            var count = SqliteLogFile.ReadInteger(connection, "SELECT count(*) FROM snapshots");
            var below = long.MaxValue;
            for (var read = 0; read < count && _problems.Count < MaxProblems; read++)
            {
                if (SqliteLogRows.ReadSnapshot(connection, below) is not { } snapshot)
                {
                    Note(0, LogProblemKind.Malformed);
                    return; // Without its position there is no going on behind it.
                }

                below = snapshot.Point.Position - 1;
                _snapshots[snapshot.Point.Position] = snapshot.Point;
                using var logKey = ReadLogKey(snapshot.Certificate);
                if (logKey is null || snapshot.Signature.Length != ControlLimits.SignatureBytes || !snapshot.IsSignedBy(logKey, network))
                {
                    Note(snapshot.Point.Position, LogProblemKind.BadSnapshot);
                    _snapshots.Remove(snapshot.Point.Position);
                }
            }
        }

        private bool IsSigned(SignedHead head)
        {
            if (_certificate is not null && _certificate.AsSpan().SequenceEqual(head.Certificate))
                return _logKey is not null && head.Signature.Length == ControlLimits.SignatureBytes && head.IsSignedBy(_logKey, network);
            // The first head of a certificate is checked with it; those that follow need only the key.
            _certificate = head.Certificate;
            _logKey?.Dispose();
            _logKey = ReadLogKey(head.Certificate);
            return _logKey is not null && head.Signature.Length == ControlLimits.SignatureBytes && head.IsSignedBy(_logKey, network);
        }

        private ECDsa? ReadLogKey(byte[] certificate)
        {
            foreach (var root in roots)
                if (LogHeads.ReadLogKey(certificate, root) is { } key)
                    return key;
            return null;
        }

        private SignedHead? NextHead()
        {
            if (_heads.TryPeek(out var next) || _nextHeadFrom is not { } from)
                return next;
            var page = SqliteLogRows.ReadHeads(connection, from, PageRows);
            _nextHeadFrom = page.Count < PageRows ? null : from;
            foreach (var head in page)
            {
                if (head is null)
                {
                    Note(0, LogProblemKind.Malformed);
                    _nextHeadFrom = null; // Without its position there is no going on behind it.
                    break;
                }

                _headCount++;
                _heads.Enqueue(head);
                if (_nextHeadFrom is not null)
                    _nextHeadFrom = head.Point.Position == long.MaxValue ? null : head.Point.Position + 1;
            }

            return _heads.TryPeek(out next) ? next : null;
        }

        private void Note(long position, LogProblemKind kind)
        {
            if (_problems.Count < MaxProblems)
                _problems.Add(new LogProblem(position, kind));
        }
    }
}

/// <summary>What a check of a log found.</summary>
/// <param name="End">The last event. Compare it with a head seen elsewhere.</param>
/// <param name="Erased">Positions whose payload was erased; that is no problem.</param>
/// <param name="Problems">At most <see cref="LogVerifier.MaxProblems"/>, from the log's start on.</param>
public sealed record LogVerification(
    NetworkId Network, LogPoint End, long Events, long Heads, IReadOnlyList<long> Erased, IReadOnlyList<LogProblem> Problems)
{
    public bool IsValid => Problems.Count == 0;
}

/// <summary>One thing that is wrong.</summary>
/// <param name="Position">Where; 0 for the file as a whole.</param>
public sealed record LogProblem(long Position, LogProblemKind Kind);
