using System.Net;
using Mesh.Crypto;
using Mesh.Node.Control;
using Mesh.Node.Daemon;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Node.Tun;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Filter;

/// <summary>
/// A node as its map makes it, for packets to be tried on: the engine's allowed IPs, then the filter, as the packet paths ask
/// them. Time is the one given, and stands still without.
/// </summary>
internal sealed class PacketProbe : IDisposable
{
    private readonly TimeProvider _time;
    private readonly FakeTun _tun = new(mtu: 1420);
    private readonly FakeUdpTransport _udp = new FakeUdpNetwork(seed: 1).Attach(51820, new IPAddress([192, 0, 2, 1]));
    private readonly WireGuardDevice _device;

    public PacketProbe(NetworkMap map, TimeProvider time, int queues = 1)
    {
        _time = time;
        _device = new WireGuardDevice(new DeviceOptions(_tun, _udp, time, new InitiationClock(time), () => TimeSpan.Zero));
        Filter = new PolicyFilter(_device.AllowedIps, queues);
        Apply(map);
    }

    public PolicyFilter Filter { get; }

    /// <summary>Takes a map in, as the tunnel does.</summary>
    public void Apply(NetworkMap map)
    {
        var peers = MapToTunnel.Peers(map, _time.GetUtcNow());
        foreach (var peer in _device.Peers)
            if (peers.All(known => known.Id != peer.Id)) _device.RemovePeer(peer);
            else _device.AllowedIps.RemoveAll(peer);
        foreach (var peer in peers)
        {
            var known = _device.SetPeer(peer.Id, [.. peer.Keys]) ?? throw new InvalidOperationException($"the key of peer {peer.Id} is refused");
            foreach (var prefix in peer.Prefixes) _device.AllowedIps.Set(IpPrefix.From(prefix.BaseAddress, prefix.PrefixLength), known);
        }
        Filter.Enforce(FilterView.Of(map, Filter.View, _time.GetUtcNow()), _time.GetUtcNow(), _device.Now);
    }

    /// <summary>A packet that this peer's key decrypted.</summary>
    /// <returns>Null when the host gets it.</returns>
    public DropReason? Receive(ulong peer, byte[] packet, int queue = 0)
    {
        if (_device.FindPeer(peer) is not { } known) return DropReason.UnknownPeer;
        if (!InnerPacket.TryGetSource(packet, out IpAddressBits source, out int length)) return DropReason.InnerMalformed;
        if (_device.AllowedIps.Lookup(source) != known) return DropReason.InnerSource;
        return Filter.JudgeInbound(queue, known, packet.AsSpan(0, length), _device.Now);
    }

    /// <summary>A packet of the host.</summary>
    /// <returns>Null when the peer gets it.</returns>
    public DropReason? Send(byte[] packet)
    {
        if (!InnerPacket.TryGetDestination(packet, out IpAddressBits destination)) return DropReason.OutboundMalformed;
        return _device.AllowedIps.Lookup(destination) is { } peer ? Filter.JudgeOutbound(peer, packet, _device.Now) : DropReason.NoRoute;
    }

    /// <summary>
    /// Whether something that begins comes through, sent by whoever is the router for its source; from where nobody is, by every
    /// peer in turn.
    /// </summary>
    public bool Accepts(IPAddress from, IPAddress to, byte protocol, int port)
    {
        byte[] packet = PacketWriter.Opening(from, to, protocol, port);
        return _device.Peers.Any(peer => Receive(peer.Id, packet) is null);
    }

    public void Dispose()
    {
        _device.Dispose();
        _udp.Dispose();
        _tun.Dispose();
    }
}
