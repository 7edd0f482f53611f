using Mesh.Node.Device;
using Mesh.Node.Kernel;
using Mesh.Node.Offload;
using Mesh.Node.Routes;
using Mesh.Node.Tun;
using Mesh.Node.Uapi;
using Mesh.Node.Udp;

namespace Mesh.Node.Wg;

/// <summary>
/// A plain WireGuard interface without a coordinator, as the ecosystem's tools know it: a TUN interface, a device over it, and
/// the configuration socket. The UDP sockets are open while the interface is up, in the network namespace of this process,
/// wherever the interface is moved. It ends when the interface is deleted.
/// </summary>
internal sealed class WireGuardInterface : IUapiHost, IDisposable
{
    public const int DefaultMtu = 1420;
    private static readonly TimeSpan TakeOverLimit = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly LinuxTunDevice _tun;
    private readonly LinuxUdpTransport _udp;
    private readonly WireGuardDevice _device;
    private readonly TunWatcher _watcher;
    private readonly NetworkChanges _changes = new();
    private readonly RouteClient _routes = new();
    private readonly Poller _poller = new(2);
    private readonly Thread _linkThread;
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<string> _warn;
    private UapiServer? _uapi;
    private DeviceRunner? _runner;
    private int _listenPort;
    private volatile bool _stopping;

    private WireGuardInterface(LinuxTunDevice tun, OffloadSet offloads, TimeProvider clock, Action<string> warn)
    {
        (_tun, _udp, _warn) = (tun, new LinuxUdpTransport(offloads, tun.Queues.Count), warn);
        _device = new WireGuardDevice(new DeviceOptions(tun, _udp, clock, new InitiationClock(clock)));
        _watcher = new TunWatcher(tun);
        _linkThread = new Thread(WatchLink) { IsBackground = true, Name = "mesh link" };
    }

    /// <summary>Ends when the interface is deleted, or with the exception of a packet path that failed.</summary>
    public Task Completion => _completion.Task;

    public int ListenPort => _listenPort;

    public WireGuardDevice Device => _device;

    public uint Fwmark { get; private set; }

    public bool IsReadOnly => false;

    /// <param name="offloads">What may be left to the kernel.</param>
    /// <param name="queues">How many are wanted: an interface that was made for one keeps to it.</param>
    /// <param name="warn">Takes what the operator should know, a line at a time.</param>
    /// <exception cref="KernelException">The interface can't be made.</exception>
    /// <exception cref="IOException">The configuration socket can't be made.</exception>
    public static WireGuardInterface Open(string name, OffloadSet offloads, int queues, TimeProvider clock, Action<string> warn)
    {
        LinuxTunDevice tun = LinuxTunDevice.Open(name, DefaultMtu, offloads, queues);
        if (tun.Queues.Count < queues) warn($"{tun.Name} has one queue instead of {queues}: it was made before, without multi_queue");
        WireGuardInterface? made = null;
        try
        {
            made = new WireGuardInterface(tun, offloads, clock, warn);
            made._uapi = ListenInTheEnd(tun.Name, made._device, made);
            made._linkThread.Start();
            return made;
        }
        catch
        {
            if (made is not null) made.Dispose();
            else tun.Dispose();
            throw;
        }
    }

    public void SetListenPort(int port)
    {
        lock (_gate)
        {
            if (_runner is not null)
            {
                _udp.ChangePort(port);
                _runner.PortChanged();
                port = _udp.Port;
            }
            _listenPort = port;
        }
    }

    public void SetFwmark(uint mark)
    {
        lock (_gate)
        {
            _udp.SetFwmark(mark);
            Fwmark = mark;
        }
    }

    public void Dispose()
    {
        _stopping = true;
        _poller.Wake();
        if (_linkThread.IsAlive) _linkThread.Join();
        _uapi?.Dispose();
        lock (_gate) SetDown();
        _watcher.Dispose();
        _changes.Dispose();
        _routes.Dispose();
        _poller.Dispose();
        _device.Dispose();
        _udp.Dispose();
        _tun.Dispose();
        _completion.TrySetResult();
    }

    /// <summary>
    /// An interface of this name may have been deleted a moment ago, with its process still on the way out: the interface is
    /// ours already, the socket's name will be when that process has ended.
    /// </summary>
    private static UapiServer ListenInTheEnd(string name, WireGuardDevice device, IUapiHost host)
    {
        var waited = System.Diagnostics.Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return UapiServer.Listen(name, device, host);
            }
            catch (IOException) when (UapiServer.AwaitEnd(name, TakeOverLimit - waited.Elapsed))
            {
                // Ended: its name is free.
            }
        }
    }

    private void WatchLink()
    {
        int link = _poller.Watch(_watcher.PollFd);
        int host = _poller.Watch(_changes.PollFd);
        var change = TunChange.UpOrDown;
        while (true)
        {
            if (change.HasFlag(TunChange.Gone))
            {
                _uapi?.Dispose();
                _completion.TrySetResult();
                return;
            }
            if (change.HasFlag(TunChange.UpOrDown)) FollowLink();
            _poller.Change(link, _watcher.PollFd);
            _poller.Wait(-1);
            change = TunChange.None;
            if (_stopping) return;
            if (_poller.IsReady(link)) change = _watcher.Read();
            if (_poller.IsReady(host) && _changes.Read() != NetworkChange.None) StickySources.Follow(_device, _routes, Fwmark);
        }
    }

    private void FollowLink()
    {
        lock (_gate)
        {
            if (_watcher.IsUp == (_runner is not null)) return;
            if (!_watcher.IsUp)
            {
                SetDown();
                return;
            }
            try
            {
                _udp.Bind(_listenPort);
            }
            catch (KernelException e)
            {
                _warn($"{_tun.Name} is up, but without a socket: {e.Message}");
                return;
            }
            _listenPort = _udp.Port;
            _runner = new DeviceRunner(_device, _tun, _udp);
            _ = _runner.Completion.ContinueWith(EndOfRunner, TaskScheduler.Default);
            _device.Start();
        }
    }

    private void EndOfRunner(Task ended)
    {
        if (ended.Exception?.InnerException is not { } reason) return;
        if (reason is TunException { Failure: TunFailure.Gone }) _completion.TrySetResult();
        else _completion.TrySetException(reason);
    }

    private void SetDown()
    {
        if (_runner is null) return;
        _runner.Dispose();
        _runner = null;
        _udp.Unbind();
        _device.Reset();
    }
}
