using System.Diagnostics;

namespace Mesh.EndToEnd.Lab;

/// <summary>Waiting for something that real processes and a real kernel will do, with a deadline and a name for the failure.</summary>
internal static class Wait
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    /// <summary>Waits until the condition holds, and returns how long that took.</summary>
    /// <exception cref="TimeoutException">It did not hold in time; the message says what was awaited, and how far it came.</exception>
    public static async Task<TimeSpan> UntilAsync(
        string what, TimeSpan deadline, Func<Task<bool>> condition, Func<string>? state = null)
    {
        var start = Stopwatch.GetTimestamp();
        using var poll = new PeriodicTimer(PollInterval);
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(start) > deadline)
                throw new TimeoutException($"Not within {deadline.TotalSeconds:0.#} s: {what}. {state?.Invoke()}");
            await poll.WaitForNextTickAsync();
        }

        return Stopwatch.GetElapsedTime(start);
    }

    /// <inheritdoc cref="UntilAsync(string, TimeSpan, Func{Task{bool}}, Func{string}?)"/>
    public static Task<TimeSpan> UntilAsync(string what, TimeSpan deadline, Func<bool> condition, Func<string>? state = null) =>
        UntilAsync(what, deadline, () => Task.FromResult(condition()), state);
}
