using System.Diagnostics;
using System.Text;

namespace Mesh.EndToEnd.Lab;

/// <summary>What a finished command left.</summary>
internal sealed record CommandResult(string Command, int ExitCode, string Output, string Error)
{
    /// <summary>The result itself if the command succeeded.</summary>
    public CommandResult Checked() => ExitCode == 0
        ? this
        : throw new InvalidOperationException($"`{Command}` ended with {ExitCode}: {Error.Trim()} {Output.Trim()}");
}

/// <summary>A process of the lab. It is killed, by its id, with the lab at the latest.</summary>
internal sealed class LabProcess : IAsyncDisposable
{
    private static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly string _command;

    private LabProcess(Process process, string command)
    {
        _process = process;
        _command = command;
    }

    /// <summary>The id of the program itself: <c>ip netns exec</c> replaces itself by what it runs.</summary>
    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public string Output => Text(_output);

    public string Error => Text(_error);

    /// <summary>Starts a command, which is a program and its arguments.</summary>
    /// <param name="command">Program and arguments; nothing goes through a shell.</param>
    /// <param name="input">What the program finds on its standard input, which is at its end after that.</param>
    /// <param name="environment">Variables that are added, or taken away where the value is null.</param>
    public static LabProcess Start(
        IReadOnlyList<string> command, string? input = null, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in command.Skip(1))
            start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
            start.Environment[name] = value;

        var process = new Process { StartInfo = start };
        var started = new LabProcess(process, string.Join(' ', command));
        process.OutputDataReceived += (_, line) => Append(started._output, line.Data);
        process.ErrorDataReceived += (_, line) => Append(started._error, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (input is not null)
            process.StandardInput.Write(input);
        process.StandardInput.Close();
        return started;
    }

    /// <summary>Waits for the end, and kills a process that does not come to it.</summary>
    public async Task<CommandResult> WaitForExitAsync(TimeSpan deadline)
    {
        using var limit = new CancellationTokenSource(deadline);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
            throw new TimeoutException(
                $"`{_command}` did not end within {deadline.TotalSeconds:0.#} s. {Error.Trim()} {Output.Trim()}");
        }

        return new CommandResult(_command, _process.ExitCode, Output, Error);
    }

    /// <summary>kill -9, and waits until the process is gone.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        using var limit = new CancellationTokenSource(KillDeadline);
        await _process.WaitForExitAsync(limit.Token);
    }

    /// <summary>Asks the process to end (SIGTERM), and waits until it did.</summary>
    public Task<CommandResult> TerminateAsync(TimeSpan deadline)
    {
        if (!_process.HasExited)
            _ = Native.Kill(_process.Id, Native.SigTerm);
        return WaitForExitAsync(deadline);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await KillAsync();
        }
        finally
        {
            _process.Dispose();
        }
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is null)
            return;
        lock (text)
            text.AppendLine(line);
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
            return text.ToString();
    }
}
