using Mesh.Node.Control;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.State;

/// <summary>
/// Writes the newest map to disk at most once in <see cref="Interval"/>. What a crash loses is a second of changes, which the
/// resume token on disk brings again.
/// </summary>
internal sealed partial class MapSaver : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly StateDirectory _state;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private NetworkMap? _unsaved;
    private bool _scheduled;

    public MapSaver(StateDirectory state, TimeProvider time, ILogger log)
    {
        (_state, _log) = (state, log);
        _timer = time.CreateTimer(_ => Save(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Mark(NetworkMap map)
    {
        lock (_gate)
        {
            _unsaved = map;
            if (_scheduled) return;
            _scheduled = true;
            _timer.Change(Interval, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>There is no map any more, here or on disk.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            _unsaved = null;
            MapFile.Remove(_state);
        }
    }

    /// <summary>Writes what is not written yet.</summary>
    public void Save()
    {
        lock (_gate)
        {
            _scheduled = false;
            if (_unsaved is null) return;
            try
            {
                MapFile.Save(_state, _unsaved);
                _unsaved = null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The one on disk is older, and good. The next change tries again.
                LogNotSaved(e.Message);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync().ConfigureAwait(false);
        Save();
    }

    [LoggerMessage(EventId = 2201, Level = LogLevel.Error, Message = "The map was not written to disk: {Reason}")]
    private partial void LogNotSaved(string reason);
}
