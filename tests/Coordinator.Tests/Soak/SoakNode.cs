using System.Globalization;
using Mesh.Crypto;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Soak;

/// <summary>
/// A machine of the soak: its calls, each repeated until it is answered, and its poll, which is opened again whenever it ends
/// and goes on from its resume token. What is acknowledged stands in its model fields.
/// </summary>
internal sealed class SoakNode(CoordinatorProcess coordinator, int number) : IAsyncDisposable
{
    private readonly TestMachine _machine = new(coordinator);
    private readonly Lock _lock = new();

    /// <summary>One report at a time, as a daemon sends them: of two at once the older might arrive last.</summary>
    private readonly SemaphoreSlim _reporting = new(1);
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource? _member;
    private Task _polling = Task.CompletedTask;
    private TestMap _map = new();
    private int _endpoint;

    /// <summary>What the log must hold of the machine; null while it is no member.</summary>
    public ulong? Id { get; private set; }

    public string Name { get; set; } = "";

    public bool HasRotated { get; private set; }

    public byte[] NodeKey => _machine.NodeKey.PublicKey.ToArray();

    public uint EndpointPort => (uint)_endpoint;

    /// <summary>Frames that came as a fresh start, and not as a continuation.</summary>
    public int Resets { get; private set; }

    public async Task JoinAsync(string key)
    {
        var registered = await AnsweredAsync(() => _machine.RegisterAsync(key, $"soak-{number}"));
        (Id, Name, HasRotated) = (registered.NodeId, registered.Name, false);
        _member = new CancellationTokenSource();
        _map = new TestMap();
        _polling = PollAsync(_member.Token);
        await ReportAsync(1 + (number % 60_000));
    }

    public async Task LogoutAsync()
    {
        await LeaveAsync();
        await AnsweredAsync(() => _machine.CallAsync(NodeApi.Logout, new LogoutRequest { Header = TestMachine.Header() }, LogoutResponse.Parser));
        Id = null;
    }

    /// <summary>An administrator has deleted it.</summary>
    public async Task DeletedAsync()
    {
        await LeaveAsync();
        Id = null;
    }

    /// <summary>A second rotation would have to wait for the first one's end; a registration with another key need not.</summary>
    public async Task ChangeKeyAsync(string key)
    {
        var next = X25519PrivateKey.Generate();
        if (HasRotated)
        {
            _machine.NodeKey = next;
            await AnsweredAsync(() => _machine.RegisterAsync(key, $"soak-{number}"));
            HasRotated = false;
            return;
        }
        await AnsweredAsync(async () => await _machine.CallAsync(
            NodeApi.Rotate, new RotateRequest { Header = TestMachine.Header(), NodeKey = await _machine.ProveAsync(next) }, RotateResponse.Parser));
        _machine.NodeKey = next;
        HasRotated = true;
    }

    public async Task ReportAsync(int port)
    {
        _endpoint = port;
        await AnsweredAsync(ReportAsync);
    }

    /// <summary>Waits until the map is as wanted; says what differs when it does not come to that.</summary>
    /// <param name="difference">Null when the map is right.</param>
    public async Task UntilAsync(Func<TestMap, string?> difference, string what)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            Task changed;
            string? wrong;
            lock (_lock)
            {
                changed = _changed.Task;
                wrong = difference(_map);
            }
            if (wrong is null) return;
            try
            {
                await changed.WaitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"{what}: node {Id} ({Name}): {wrong}\n{coordinator.Said()}");
            }
            if (_polling.IsFaulted) await _polling;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await LeaveAsync();
        _machine.Dispose();
        _reporting.Dispose();
    }

    private async Task<bool> ReportAsync()
    {
        await _reporting.WaitAsync();
        try
        {
            await _machine.ReportAsync(Endpoint(_endpoint));
            return true;
        }
        finally
        {
            _reporting.Release();
        }
    }

    private static Endpoint Endpoint(int port) => TestMachine.Local(string.Create(CultureInfo.InvariantCulture, $"192.0.2.1:{port}"));

    private async Task LeaveAsync()
    {
        if (_member is null) return;
        await _member.CancelAsync();
        await _polling;
        _member.Dispose();
        _member = null;
    }

    private async Task PollAsync(CancellationToken member)
    {
        while (!member.IsCancellationRequested)
        {
            try
            {
                using var poll = await _machine.PollAsync(_map.Token).WaitAsync(member);
                // As a daemon does: who comes back says where it is.
                if (_endpoint != 0) await ReportAsync();
                poll.From(_map);
                await using var cut = member.UnsafeRegister(_ => poll.Dispose(), null);
                while (await NextAsync(poll))
                {
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                if (!member.IsCancellationRequested) await coordinator.UpAsync();
            }
            catch (ProblemReceived e) when (member.IsCancellationRequested || e.Problem.Status is 403 or 503 or 429)
            {
                // On its way out, or the coordinator is; whoever runs the soak knows which.
                await Task.Yield();
            }
        }
    }

    private async Task<bool> NextAsync(TestPoll poll)
    {
        var frame = await poll.ReadAsync();
        if (frame is null) return false;
        lock (_lock)
        {
            _map.Apply(frame);
            if (frame.Snapshot?.Reset == true) Resets++;
            _changed.TrySetResult();
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        return true;
    }

    /// <summary>Asks until there is an answer; every call may be repeated.</summary>
    private async Task<T> AnsweredAsync<T>(Func<Task<T>> call)
    {
        while (true)
        {
            try
            {
                return await call();
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                await coordinator.UpAsync();
            }
            catch (ProblemReceived e) when (e.Problem.Status is 503 or 429)
            {
                await Task.Yield();
            }
        }
    }
}
