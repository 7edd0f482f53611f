using System.Collections.Concurrent;
using System.Security.Cryptography;
using Mesh.Crypto;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.Node.Device;

/// <summary>What a device works with. The device owns none of it.</summary>
/// <param name="Jitter">A random time up to <see cref="Timing.MaxJitter"/>; null takes one.</param>
public sealed record DeviceOptions(
    ITunDevice Tun, IUdpTransport Udp, TimeProvider Clock, IInitiationClock InitiationClock, Func<TimeSpan>? Jitter = null);

/// <summary>
/// A WireGuard interface: keys, peers, allowed IPs, and the paths over them (outbound and inbound for each queue, and control), which
/// <see cref="DeviceRunner"/> runs on a thread each, or a simulation by turns. Methods that change something may be called
/// from any thread; they hold <see cref="ControlLock"/>, as the control path does. Order of locks: control, then a peer's
/// keypairs or staged packets, then timer queue, quiescence.
/// </summary>
public sealed class WireGuardDevice : IDisposable
{
    private readonly DeviceOptions _options;
    private readonly long _started;
    private readonly ConcurrentDictionary<ulong, Peer> _peers = new();
    private readonly Dictionary<X25519PublicKey, RemoteIdentity> _identities = [];
    private readonly Func<TimeSpan> _jitter;
    private DeviceIdentity _identity = DeviceIdentity.None;
    private long _nextOrder;
    private int _peerCount;
    private Action? _wakeControl;
    private IPacketFilter? _filter;

    public WireGuardDevice(DeviceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Tun.Queues.Count != options.Udp.Queues.Count)
            throw new ArgumentException("the interface has as many queues as the underlay", nameof(options));
        _options = options;
        _started = options.Clock.GetTimestamp();
        _jitter = options.Jitter ?? (static () => TimeSpan.FromTicks(RandomNumberGenerator.GetInt32((int)Timing.MaxJitter.Ticks)));
        Timers = new TimerQueue(WakeControl);
        HandshakeGate = new HandshakeGate(HandshakeQueue);
        var pairs = options.Tun.Queues.Zip(options.Udp.Queues);
        Queues = [.. pairs.Select((pair, i) => new DeviceQueue(
            new OutboundPath(this, pair.First, pair.Second), new InboundPath(this, i, pair.First, pair.Second)))];
        Control = new ControlPath(this, options.Udp);
    }

    /// <summary>Raised on the control thread, with no lock held.</summary>
    public event Action<Peer, PeerEvent>? PeerChanged;

    public AllowedIps AllowedIps { get; } = new();

    public DropCounters Drops { get; } = new();

    /// <summary>In the order in which they were added.</summary>
    public IReadOnlyList<Peer> Peers
    {
        get { lock (ControlLock) return [.. _peers.Values.OrderBy(peer => peer.Order)]; }
    }

    /// <summary>What may pass; null lets all pass. Set before the device runs, or while it runs.</summary>
    internal IPacketFilter? Filter
    {
        get => Volatile.Read(ref _filter);
        set => Volatile.Write(ref _filter, value);
    }

    internal IReadOnlyList<DeviceQueue> Queues { get; }

    internal ControlPath Control { get; }

    internal Lock ControlLock { get; } = new();

    internal IndexTable Indices { get; } = new();

    internal Quiescence Quiescence { get; } = new();

    internal TimerQueue Timers { get; }

    internal HandshakeQueue HandshakeQueue { get; } = new();

    internal HandshakeGate HandshakeGate { get; }

    internal EphemeralKeys Ephemerals { get; } = new();

    internal StagedPackets.Budget StagingBudget { get; } = new(Timing.StagedBytes);

    /// <summary>Peers that want something of the control path; each at most once.</summary>
    internal ConcurrentQueue<Peer> Attention { get; } = new();

    /// <summary>Changed under the control lock; read anywhere.</summary>
    internal DeviceIdentity Identity
    {
        get => Volatile.Read(ref _identity);
        private set => Volatile.Write(ref _identity, value);
    }

    internal TimeProvider Clock => _options.Clock;

    internal IInitiationClock InitiationClock => _options.InitiationClock;

    internal int Mtu => _options.Tun.Mtu;

    /// <summary>Ticks of 100 ns since the device was made, never 0; untouched by changes of the system's clock.</summary>
    internal long Now => _options.Clock.GetElapsedTime(_started).Ticks + 1;

    /// <summary>
    /// Sets the key that handshakes go out under and, while one key replaces another, the other, under which they are answered too
    /// (and tried, when the first is not answered). The device owns the keys from now on. Sessions under a key that is neither are ended. Null for none.
    /// </summary>
    public void SetKeys(X25519PrivateKey? current, X25519PrivateKey? previous = null)
    {
        lock (ControlLock)
        {
            DeviceIdentity before = Identity;
            StaticIdentity? Keep(X25519PrivateKey? key)
            {
                if (key is null) return null;
                StaticIdentity? known = before.Current?.PublicKey == key.PublicKey ? before.Current : before.Previous?.PublicKey == key.PublicKey ? before.Previous : null;
                if (known is null) return new StaticIdentity(key);
                if (!ReferenceEquals(known.PrivateKey, key)) key.Dispose();
                return known;
            }
            Identity = new DeviceIdentity(Keep(current), Keep(previous));
            bool sessionsStay = before.Current is not null && Identity.Has(before.Current.PublicKey);
            foreach (StaticIdentity? gone in (StaticIdentity?[])[before.Current, before.Previous])
                if (gone is not null && !Identity.Contains(gone)) gone.Release();
            foreach (Peer peer in _peers.Values)
            {
                if (peer.Identities.Any(identity => Identity.Has(identity.PublicKey))) RemoveLocked(peer);
                else
                {
                    if (!sessionsStay) peer.Keypairs.ExpireSending();
                    if (!sessionsStay || (peer.Handshake is { } handshake && !Identity.Contains(handshake.Local)))
                        RestartHandshake(peer);
                }
            }
        }
    }

    /// <summary>The private key that handshakes go out under, copied for who may see it; false when there is none.</summary>
    /// <param name="destination">32 bytes, which the caller zeroes.</param>
    public bool TryCopyPrivateKey(Span<byte> destination)
    {
        lock (ControlLock)
        {
            if (Identity.Current is not { } current) return false;
            current.PrivateKey.CopyTo(destination);
            return true;
        }
    }

    /// <summary>The peer's preshared key, copied for who may see it; zeroes when there is none.</summary>
    /// <param name="destination">32 bytes, which the caller zeroes.</param>
    public void CopyPresharedKey(Peer peer, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(peer);
        lock (ControlLock) peer.CopyPresharedKey(destination);
    }

    public Peer? FindPeer(ulong id) => _peers.GetValueOrDefault(id);

    public Peer? FindPeer(in X25519PublicKey key)
    {
        lock (ControlLock) return FindIdentity(key)?.Peer;
    }

    /// <summary>Adds a peer under an id that no other has had, for owners who know peers by their keys alone.</summary>
    /// <returns>Null when the key is our own or another peer's.</returns>
    public Peer? AddPeer(in X25519PublicKey key)
    {
        lock (ControlLock) return SetPeer((ulong)_nextOrder + 1, key);
    }

    /// <summary>Adds a peer, or changes the keys of the one with this id.</summary>
    /// <param name="keys">One or two; the first is written to. A key that is our own, or another peer's, is refused.</param>
    /// <returns>Null when a key is refused; nothing changed then.</returns>
    public Peer? SetPeer(ulong id, params ReadOnlySpan<X25519PublicKey> keys)
    {
        ArgumentOutOfRangeException.ThrowIfZero(id);
        if (keys.Length is 0 or > 2) throw new ArgumentException("a peer has one or two keys", nameof(keys));
        lock (ControlLock)
        {
            foreach (ref readonly X25519PublicKey key in keys)
                if (Identity.Has(key) || (FindIdentity(key) is { } taken && taken.Peer.Id != id)) return null;
            if (!_peers.TryGetValue(id, out Peer? peer)) peer = new Peer(id, _nextOrder++, this);
            RemoteIdentity[] before = peer.Identities;
            var identities = new RemoteIdentity[keys.Length];
            for (int i = 0; i < keys.Length; i++)
            {
                X25519PublicKey key = keys[i];
                identities[i] = Array.Find(before, identity => identity.PublicKey == key) ?? new RemoteIdentity(peer, key);
                // A third of what the first handshake would cost, and peers may all come at once.
                if (Identity.Current is { } local) identities[i].TryGetStaticStatic(local, out _);
            }
            bool spokeToGone = peer.Handshake is { } handshake && !identities.Contains(handshake.Remote);
            foreach (RemoteIdentity gone in before)
            {
                if (identities.Contains(gone)) continue;
                _identities.Remove(gone.PublicKey);
                gone.Dispose();
            }
            foreach (RemoteIdentity identity in identities) _identities[identity.PublicKey] = identity;
            peer.Identities = identities;
            if (before.Length == 0) Ephemerals.WantFor(++_peerCount);
            _peers[id] = peer;
            if (spokeToGone) RestartHandshake(peer);
            return peer;
        }
    }

    public void RemovePeer(Peer peer)
    {
        lock (ControlLock) RemoveLocked(peer);
    }

    /// <summary>Sets where the peer is. When packets wait for it, a handshake starts at once. Default for nowhere.</summary>
    public void SetEndpoint(Peer peer, in UdpEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(peer);
        lock (ControlLock)
        {
            bool moved = peer.Endpoint != endpoint;
            peer.SetEndpoint(endpoint); // also when it is the same: the local address is chosen anew
            if (moved && (!peer.Staged.IsEmpty || peer.Handshake is not null)) Control.Initiate(peer, InitiationCause.NewEndpoint);
        }
    }

    /// <summary>The device owns the key from now on; null for none. It takes effect with the next handshake.</summary>
    public void SetPresharedKey(Peer peer, PresharedKey? key)
    {
        ArgumentNullException.ThrowIfNull(peer);
        lock (ControlLock)
        {
            peer.PresharedKey?.Dispose();
            peer.PresharedKey = key;
        }
    }

    /// <param name="interval">Zero for none.</param>
    public void SetPersistentKeepalive(Peer peer, TimeSpan interval)
    {
        ArgumentNullException.ThrowIfNull(peer);
        lock (ControlLock)
        {
            peer.Timers.SetPersistentInterval(interval.Ticks, Now);
        }
        if (interval > TimeSpan.Zero) Connect(peer);
    }

    /// <summary>Makes a session with the peer if there is none, though no packet waits.</summary>
    public void Connect(Peer peer)
    {
        ArgumentNullException.ThrowIfNull(peer);
        if (!peer.HasSession) RequestHandshake(peer);
    }

    /// <summary>
    /// Ends all sessions, handshakes and timers, as when the interface is set down. Peers and their settings stay. No path may
    /// be running.
    /// </summary>
    public void Reset()
    {
        lock (ControlLock)
        {
            foreach (Peer peer in _peers.Values)
            {
                peer.Timers.ClearAll();
                peer.Staged.Clear(DropReason.HandshakeFailed);
                ForgetSessions(peer);
            }
            Quiescence.Reclaim();
        }
    }

    /// <summary>The interface is up: peers with persistent keepalives are written to at once.</summary>
    public void Start()
    {
        foreach (Peer peer in Peers)
            if (peer.PersistentKeepalive > TimeSpan.Zero) SetPersistentKeepalive(peer, peer.PersistentKeepalive);
    }

    public void Dispose()
    {
        lock (ControlLock)
        {
            foreach (Peer peer in _peers.Values) RemoveLocked(peer);
            Identity.Current?.Release();
            Identity.Previous?.Release();
            Identity = DeviceIdentity.None;
            Quiescence.Reclaim();
        }
        Ephemerals.Dispose();
        foreach (DeviceQueue queue in Queues) queue.Dispose();
    }

    internal static bool IsDueForRekey(Keypair keypair, ulong counter, long now) =>
        counter >= Timing.RekeyAfterMessages || (keypair.IsInitiator && now - keypair.CreatedAt >= Timing.RekeyAfterTime.Ticks);

    internal static bool IsUsable(Keypair keypair, long now) =>
        now - keypair.CreatedAt < Timing.RejectAfterTime.Ticks && keypair.SentMessages < Timing.RejectAfterMessages;

    internal long Jitter() => _jitter().Ticks;

    /// <summary>Under the control lock.</summary>
    internal RemoteIdentity? FindIdentity(in X25519PublicKey key) => _identities.GetValueOrDefault(key);

    /// <summary>What is called when the control path has something to do.</summary>
    internal void OnWakeControl(Action wake) => _wakeControl = wake;

    internal void WakeControl() => _wakeControl?.Invoke();

    /// <summary>Packets are staged: send them, over a handshake if need be.</summary>
    internal void RequestSending(Peer peer)
    {
        if (!peer.TryClaimAttention()) return;
        Attention.Enqueue(peer);
        WakeControl();
    }

    /// <summary>A new session is wanted. Cheap to call for every packet: nothing happens while an initiation is out.</summary>
    internal void RequestHandshake(Peer peer)
    {
        if (peer.Timers.IsHandshaking) return;
        peer.WishHandshake();
        RequestSending(peer);
    }

    /// <summary>The initiator has shown that it has the keys of a session that we made as responder.</summary>
    internal void SessionConfirmed(Peer peer)
    {
        peer.NoteConfirmation();
        RequestSending(peer);
    }

    /// <summary>Under the control lock.</summary>
    internal void EndHandshake(Peer peer)
    {
        if (peer.Handshake is not { } handshake) return;
        peer.Handshake = null;
        peer.Timers.HandshakeDone();
        Indices.Remove(handshake);
        handshake.Dispose();
    }

    /// <summary>
    /// One of the keys of a handshake is gone: whoever waits for it gets another under the present ones. Under the control lock.
    /// </summary>
    private void RestartHandshake(Peer peer)
    {
        bool awaited = peer.Timers.IsHandshaking || !peer.Staged.IsEmpty;
        EndHandshake(peer);
        if (awaited) Control.Initiate(peer, InitiationCause.NewKey);
    }

    /// <summary>Under the control lock.</summary>
    internal void ForgetSessions(Peer peer)
    {
        EndHandshake(peer);
        peer.Keypairs.Clear();
    }

    internal void Raise(Peer peer, PeerEvent what) => PeerChanged?.Invoke(peer, what);

    private void RemoveLocked(Peer peer)
    {
        if (peer.IsRemoved) return;
        peer.MarkRemoved();
        AllowedIps.RemoveAll(peer);
        if (_peers.TryRemove(peer.Id, out _)) Ephemerals.WantFor(--_peerCount);
        foreach (RemoteIdentity identity in peer.Identities)
        {
            _identities.Remove(identity.PublicKey);
            identity.Dispose();
        }
        peer.Timers.ClearAll();
        ForgetSessions(peer);
        peer.Staged.Clear(DropReason.NoRoute);
        peer.PresharedKey?.Dispose();
        peer.PresharedKey = null;
        WakeControl();
    }
}
