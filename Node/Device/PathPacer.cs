using System.Diagnostics;
using Mesh.Node.Kernel;

namespace Mesh.Node.Device;

/// <summary>
/// Waits for a packet path's work, and gives its thread its turns. A thread that runs before all others would be woken by every
/// packet of a fast sender and do each alone; when packets come so close that this happens, the path sleeps for
/// <see cref="PauseMicroseconds"/> between its batches instead, as a network card holds its interrupts back. One thread.
/// </summary>
internal sealed class PathPacer(Poller poller)
{
    private const uint PauseMicroseconds = 100;

    /// <summary>Waits that were over as soon as begun, in a row, before the path begins to pause.</summary>
    private const int SoonWaits = 16;

    /// <summary>Packets that a pause must have gathered to be worth the next.</summary>
    private const int PauseWorth = 4;

    private static readonly long Soon = Stopwatch.Frequency * 20 / 1_000_000;

    private readonly PacketPriority _priority = new(TimeProvider.System, PacketPriority.IsWanted);
    private int _soon;
    private int _taken;
    private bool _pauses;

    /// <summary>To be called after each piece of work.</summary>
    public void Ran(int packets)
    {
        _taken += packets;
        _priority.Ran();
    }

    /// <summary>Returns when there may be work.</summary>
    public void Wait()
    {
        if (_pauses && _taken >= PauseWorth)
        {
            _ = Libc.usleep(PauseMicroseconds);
        }
        else
        {
            long before = Stopwatch.GetTimestamp();
            poller.Wait(-1);
            _soon = Stopwatch.GetTimestamp() - before < Soon ? _soon + 1 : 0;
            _pauses = _soon >= SoonWaits;
            // The first pause is on trial.
            if (_pauses) _ = Libc.usleep(PauseMicroseconds);
        }
        _taken = 0;
        _priority.Woken();
    }
}
