using System.Globalization;
using Mesh.Node.Kernel;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.Node.Device;

/// <summary>
/// Runs a device's paths on a thread each, those of every queue and the control path, and threads that help with handshakes while
/// many come, until it is disposed or one of them fails; then all stop, and <see cref="Completion"/> says why.
/// </summary>
public sealed class DeviceRunner : IDisposable
{
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    private readonly WireGuardDevice _device;
    private readonly QueuePollers[] _queues;
    private readonly Signal _controlSignal = new();
    private readonly Signal[] _helperSignals;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread[] _threads;
    private volatile bool _stopping;

    public DeviceRunner(WireGuardDevice device, ITunDevice tun, IUdpTransport udp)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(tun);
        ArgumentNullException.ThrowIfNull(udp);
        _device = device;
        _queues = [.. device.Queues.Select((_, i) => new QueuePollers(tun.Queues[i], udp.Queues[i]))];
        device.OnWakeControl(_controlSignal.Set);
        _helperSignals = new Signal[Math.Clamp(Environment.ProcessorCount - 1, 0, Timing.HandshakeHelpers)];
        for (int i = 0; i < _helperSignals.Length; i++) _helperSignals[i] = new Signal();
        device.HandshakeQueue.Backlog = WakeHelpers;
        _threads =
        [
            .. device.Queues.Select((queue, i) => Start("outbound" + Suffix(i), () => RunOutbound(queue.Outbound, _queues[i]))),
            .. device.Queues.Select((queue, i) => Start("inbound" + Suffix(i), () => RunInbound(queue.Inbound, _queues[i]))),
            Start("control", RunControl),
            .. _helperSignals.Select((signal, i) => Start("handshakes", () => RunHelper(signal, isFirst: i == 0))),
        ];
    }

    /// <summary>
    /// Ends when the device does: without error when it was disposed, with a <see cref="TunException"/> when the interface is
    /// gone, with any other exception for a defect.
    /// </summary>
    public Task Completion => _completion.Task;

    /// <summary>To be called after the transport's port was changed, as its descriptors are new then.</summary>
    public void PortChanged()
    {
        foreach (QueuePollers queue in _queues)
        {
            queue.PortChanged = true;
            queue.Inbound.Wake();
        }
    }

    /// <summary>Stops the threads and waits for their end.</summary>
    public void Dispose()
    {
        Stop();
        foreach (Thread thread in _threads)
            if (thread != Thread.CurrentThread) thread.Join();
        foreach (QueuePollers queue in _queues) queue.Dispose();
        _completion.TrySetResult();
    }

    private void RunOutbound(OutboundPath path, QueuePollers pollers)
    {
        var turns = new PacketTurns(TimeProvider.System, PacketTurns.IsWanted);
        while (!_stopping)
        {
            if (path.Run()) turns.Ran(path.Datagrams, mayNap: path.TookAll);
            else turns.Wait(pollers.Outbound);
        }
    }

    private void RunInbound(InboundPath path, QueuePollers pollers)
    {
        var turns = new PacketTurns(TimeProvider.System, PacketTurns.IsWanted);
        while (!_stopping)
        {
            if (pollers.PortChanged) pollers.WatchSockets();
            if (path.Run()) turns.Ran(path.Datagrams);
            else turns.Wait(pollers.Inbound);
        }
    }

    private void RunControl()
    {
        while (!_stopping)
        {
            long next = _device.Control.Run();
            long ticks = Math.Clamp(next - _device.Now, 0, LongestSleep.Ticks);
            // Up, so that a timer that is due in less than a millisecond is not spun for.
            _controlSignal.Wait((int)((ticks + TimeSpan.TicksPerMillisecond - 1) / TimeSpan.TicksPerMillisecond));
        }
    }

    private void RunHelper(Signal signal, bool isFirst)
    {
        while (!_stopping)
        {
            if (_device.Control.HandshakePath.HandleOne()) continue;
            if (isFirst && _device.Ephemerals.MakeOne()) continue;
            signal.Wait(Timeout.Infinite);
        }
    }

    private void WakeHelpers(int waiting)
    {
        for (int i = 0; i < _helperSignals.Length && waiting >= Timing.HandshakeBacklog << i; i++) _helperSignals[i].Set();
    }

    private static string Suffix(int queue) => queue == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" {queue + 1}");

    private Thread Start(string name, Action run)
    {
        var thread = new Thread(() =>
        {
            try
            {
                run();
            }
#pragma warning disable CA1031 // Whatever ends a path ends the device, and is told to its owner.
            catch (Exception e)
#pragma warning restore CA1031
            {
                _completion.TrySetException(e);
            }
            Stop();
        })
        {
            Name = "mesh " + name,
            IsBackground = true,
        };
        thread.Start();
        return thread;
    }

    private void Stop()
    {
        _stopping = true;
        foreach (QueuePollers queue in _queues)
        {
            queue.Outbound.Wake();
            queue.Inbound.Wake();
        }
        _controlSignal.Set();
        foreach (Signal signal in _helperSignals) signal.Set();
    }

    /// <summary>What a queue's two threads wait with.</summary>
    private sealed class QueuePollers : IDisposable
    {
        private readonly IUdpQueue _udp;

        /// <summary>The sockets that it is to watch are new.</summary>
        public volatile bool PortChanged = true;

        public QueuePollers(ITunQueue tun, IUdpQueue udp)
        {
            _udp = udp;
            Outbound.Watch(tun.PollFd);
            Inbound.Watch(-1);
            Inbound.Watch(-1);
        }

        public Poller Outbound { get; } = new(1);

        public Poller Inbound { get; } = new(2);

        public void WatchSockets()
        {
            PortChanged = false;
            Inbound.Change(1, _udp.PollFd4);
            Inbound.Change(2, _udp.PollFd6);
        }

        public void Dispose()
        {
            Outbound.Dispose();
            Inbound.Dispose();
        }
    }

    /// <summary>Sets that come while nobody waits are kept, as one.</summary>
    private sealed class Signal
    {
        private readonly object _gate = new();
        private bool _set;

        public void Set()
        {
            if (Volatile.Read(ref _set)) return;
            lock (_gate)
            {
                _set = true;
                Monitor.Pulse(_gate);
            }
        }

        public void Wait(int milliseconds)
        {
            lock (_gate)
            {
                if (!_set) Monitor.Wait(_gate, milliseconds);
                _set = false;
            }
        }
    }
}
