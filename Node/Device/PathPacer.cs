using System.Diagnostics;
using Mesh.Node.Kernel;

namespace Mesh.Node.Device;

/// <summary>
/// Waits for a packet path's work, and gives its thread its turns. A thread that runs before all others would be woken by every
/// packet of a fast sender and do each alone; when it is woken so often, the path sleeps for
/// <see cref="PauseMicroseconds"/> between its batches instead, as a network card holds its interrupts back. One thread.
/// </summary>
internal sealed class PathPacer(Poller poller)
{
    private const uint PauseMicroseconds = 200;

    /// <summary>More waits and packets than these within <see cref="Window"/>, and the path begins to pause.</summary>
    private const int ManyWaits = 8, ManyPackets = 64;

    /// <summary>Packets that a pause must have gathered to be worth the next.</summary>
    private const int PauseWorth = 4;

    private static readonly long Window = Stopwatch.Frequency / 1_000;

    private readonly PacketPriority _priority = new(TimeProvider.System, PacketPriority.IsWanted);
    private long _windowBegan;
    private int _waits;
    private int _packets;
    private int _taken;
    private bool _pauses;

    /// <summary>To be called after each piece of work.</summary>
    public void Ran(int packets)
    {
        _taken += packets;
        _packets += packets;
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
            poller.Wait(-1);
            _waits++;
            long now = Stopwatch.GetTimestamp();
            if (now - _windowBegan > Window)
            {
                _pauses = _waits > ManyWaits && _packets > ManyPackets && now - _windowBegan < 2 * Window;
                (_windowBegan, _waits, _packets) = (now, 0, 0);
            }
            // The first pause is on trial.
            if (_pauses) _ = Libc.usleep(PauseMicroseconds);
        }
        _taken = 0;
        _priority.Woken();
    }
}
