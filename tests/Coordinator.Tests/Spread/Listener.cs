using System.Diagnostics;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Spread;

/// <summary>A machine's open poll, and when it last heard of something other than time.</summary>
internal sealed class Listener(TestMachine machine) : IDisposable
{
    private TestPoll? _poll;
    private Heard? _last;

    /// <summary>Returns once the machine has its first map.</summary>
    public async Task StartAsync()
    {
        _poll = await machine.PollAsync();
        await _poll.NextAsync();
        _ = ListenAsync(_poll);
    }

    /// <summary>When the machine had read and applied what was so from a position on; null while it has not.</summary>
    public long? HeardAt(long position) => Volatile.Read(ref _last) is { } last && last.Position >= (ulong)position ? last.At : null;

    public void Dispose()
    {
        _poll?.Dispose();
        machine.Dispose();
    }

    private async Task ListenAsync(TestPoll poll)
    {
        try
        {
            while (await poll.NextAsync() is { } frame)
            {
                if (frame.Delta is { } delta && (delta.Filter is not null || delta.Upserts.Count + delta.Removals.Count > 0))
                    Volatile.Write(ref _last, new Heard(delta.Head.Position, Stopwatch.GetTimestamp()));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or HttpRequestException)
        {
            // The measurement is over.
        }
    }

    private sealed record Heard(ulong Position, long At);
}
