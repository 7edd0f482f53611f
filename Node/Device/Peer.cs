using Mesh.Crypto;
using Mesh.Node.Udp;

namespace Mesh.Node.Device;

/// <summary>
/// Another end of tunnels: an id with one or two public keys, of which the first is the one to write to. Its sessions,
/// endpoint, allowed IPs and counters belong to the id, so that keys can change under them. Everything that changes it goes
/// through <see cref="WireGuardDevice"/>, but for what packets change: any path may, each on its thread.
/// </summary>
public sealed class Peer
{
    /// <summary>The <see cref="TimerQueue"/>'s: the deadline that the peer stands in it for.</summary>
    internal long ScheduledAt = TimerQueue.Never;

    private EndpointBox? _endpoint;
    private long _rxBytes;
    private long _txBytes;
    private long _lastHandshake;
    private int _attention;
    private int _handshakeWish;
    private int _confirmation;
    private bool _removed;

    internal Peer(ulong id, long order, WireGuardDevice device)
    {
        Id = id;
        Order = order;
        Device = device;
        Keypairs = new PeerKeypairs(device.Indices, device.Quiescence);
        Staged = new StagedPackets(device.StagingBudget, device.Drops);
        Timers = new PeerTimers(this);
    }

    /// <summary>What the owner of the device calls the peer; never 0.</summary>
    public ulong Id { get; }

    /// <summary>Where packets to the peer go: as configured, or as the last authentic packet from it came. Null when unknown.</summary>
    public UdpEndpoint? Endpoint => Volatile.Read(ref _endpoint)?.Value;

    /// <summary>Bytes of UDP payload of authentic messages from the peer, handshakes and keepalives included.</summary>
    public long RxBytes => Volatile.Read(ref _rxBytes);

    /// <summary>Bytes of UDP payload of messages to the peer, handshakes and keepalives included.</summary>
    public long TxBytes => Volatile.Read(ref _txBytes);

    /// <summary>When the newest session was made; null when none was.</summary>
    public DateTimeOffset? LastHandshake =>
        Volatile.Read(ref _lastHandshake) is var ticks and not 0 ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;

    /// <summary>Between empty packets that keep a NAT's mapping alive; zero for none.</summary>
    public TimeSpan PersistentKeepalive => TimeSpan.FromTicks(Timers.PersistentInterval);

    /// <summary>One or two; the first is written to (the second when that is not answered), both are answered.</summary>
    public IReadOnlyList<X25519PublicKey> PublicKeys => [.. Identities.Select(identity => identity.PublicKey)];

    /// <summary>Whether data could be sent at once.</summary>
    public bool HasSession => Keypairs.Current is { } keypair && WireGuardDevice.IsUsable(keypair, Device.Now);

    /// <summary>Place among the device's peers.</summary>
    internal long Order { get; }

    internal WireGuardDevice Device { get; }

    internal PeerKeypairs Keypairs { get; }

    internal StagedPackets Staged { get; }

    internal PeerTimers Timers { get; }

    /// <summary>Replaced as a whole, under the device's control lock.</summary>
    internal RemoteIdentity[] Identities { get; set; } = [];

    // Under the device's control lock:
    internal PresharedKey? PresharedKey { get; set; }

    internal OutgoingHandshake? Handshake { get; set; }

    internal int HandshakeAttempts { get; set; }

    /// <summary>The newest time stamp that an initiation of the peer carried.</summary>
    internal Tai64N LastStamp { get; set; }

    internal long LastInitiationReceived { get; set; } = long.MinValue / 2;

    /// <summary>
    /// An inbound path asked for a handshake in the session's last moments, and none need again. Where two do at once, one handshake
    /// comes of it.
    /// </summary>
    internal bool LastMinuteHandshake;

    internal bool IsRemoved => Volatile.Read(ref _removed);

    internal EndpointBox? EndpointBox => Volatile.Read(ref _endpoint);

    internal void MarkRemoved() => Volatile.Write(ref _removed, true);

    internal void SetEndpoint(in UdpEndpoint endpoint) =>
        Volatile.Write(ref _endpoint, endpoint.IsEmpty ? null : new EndpointBox(endpoint));

    /// <summary>An authentic packet came from there. Allocates only when that is news. Of paths that say it at once, the last counts.</summary>
    internal void Roam(in UdpEndpoint source)
    {
        if (Volatile.Read(ref _endpoint) is not { } box || !box.Value.EqualsWithSource(source)) SetEndpoint(source);
    }

    /// <summary>Lets the routing pick the local address again: the one that was used leads nowhere.</summary>
    internal void ForgetSource()
    {
        if (Volatile.Read(ref _endpoint) is { } box && box.Value.HasSource) SetEndpoint(box.Value.WithoutSource());
    }

    internal void AddReceived(long bytes) => Interlocked.Add(ref _rxBytes, bytes);

    internal void AddSent(long bytes) => Interlocked.Add(ref _txBytes, bytes);

    internal void NoteHandshake(DateTimeOffset time) => Volatile.Write(ref _lastHandshake, time.UtcTicks);

    /// <summary>True for the caller that has to queue the peer for the control thread.</summary>
    internal bool TryClaimAttention() => Volatile.Read(ref _attention) == 0 && Interlocked.Exchange(ref _attention, 1) == 0;

    internal void WishHandshake() => Volatile.Write(ref _handshakeWish, 1);

    internal bool TakeHandshakeWish() => Interlocked.Exchange(ref _handshakeWish, 0) != 0;

    internal void NoteConfirmation() => Volatile.Write(ref _confirmation, 1);

    internal bool TakeConfirmation() => Interlocked.Exchange(ref _confirmation, 0) != 0;

    /// <param name="destination">32 bytes; zeroes when there is none.</param>
    internal void CopyPresharedKey(Span<byte> destination)
    {
        if (PresharedKey is { } key) key.CopyTo(destination);
        else destination.Clear();
    }

    internal void ReleaseAttention() => Volatile.Write(ref _attention, 0);
}

/// <summary>An endpoint that can be published by one reference store; the value itself would tear.</summary>
internal sealed class EndpointBox(in UdpEndpoint value)
{
    public readonly UdpEndpoint Value = value;
}
