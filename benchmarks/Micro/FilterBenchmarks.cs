using System.Buffers.Binary;
using System.Net;
using BenchmarkDotNet.Attributes;
using Google.Protobuf;
using Mesh.Crypto;
using Mesh.Node.Control;
using Mesh.Node.Device;
using Mesh.Node.Filter;
using Mesh.Node.Tun;
using Mesh.Node.Udp;
using Mesh.Protocol.Control;
using Peer = Mesh.Node.Device.Peer;

namespace Mesh.Micro;

/// <summary>
/// What the policy costs a packet, beside what opening the same packet costs: the filter of a node that 10,000 peers of 500 classes
/// see, with 200 rules and some about subnets on either side. A full packet of a connection that a rule lets in; one that answers
/// a connection of ours, behind others of it or of another; a datagram that a rule lets in; the outbound packet.
/// </summary>
[MemoryDiagnoser]
public class FilterBenchmarks
{
    private const int Peers = 10_000, Classes = 500, Rules = 200, SubnetRules = 20, Length = 1420;
    private readonly byte[] _key = new byte[ChaCha20Poly1305.KeyLength];
    private readonly byte[] _sealed = new byte[Length + ChaCha20Poly1305.TagLength];
    private readonly byte[] _opened = new byte[Length];
    private WireGuardDevice? _device;
    private PolicyFilter? _filter;
    private Peer? _peer;
    private byte[] _ruled = [], _answer = [], _otherAnswer = [], _datagram = [], _outbound = [];

    [GlobalSetup]
    public void Setup()
    {
        ChaCha20Poly1305.Seal(_key, 0, _opened, default, _sealed);
        _device = new WireGuardDevice(new DeviceOptions(
            new FakeTun(mtu: 1420), new FakeUdpNetwork(1).Attach(51820, IPAddress.Loopback), TimeProvider.System, new InitiationClock(TimeProvider.System)));
        _filter = new PolicyFilter(_device.AllowedIps);
        _peer = _device.SetPeer(77, X25519PrivateKey.Generate().PublicKey)!;
        if (NetworkMap.Create(Snapshot(), out NetworkMap? map) is { IsNone: false } fault) throw new InvalidOperationException(fault.ToString());
        _filter.Enforce(FilterView.Of(map!, FilterView.Empty, DateTimeOffset.UtcNow), DateTimeOffset.UtcNow, 1);
        uint peer = Address(77), self = Address(0);
        _ruled = Packet(6, peer, self, 40_000, 77, 16);
        _answer = Packet(6, peer, self, 60_001, 40_000, 16);
        _otherAnswer = Packet(6, peer, self, 60_001, 40_001, 16);
        _datagram = Packet(17, peer, self, 40_000, 77, 0);
        _outbound = Packet(6, self, peer, 40_000, 60_001, 16);
        foreach (int port in (int[])[40_000, 40_001]) _filter.JudgeOutbound(_peer, Packet(6, self, peer, port, 60_001, 2), 1);
        if (!Outbound() || !Inbound() || !Answer() || !Answers() || !Datagram()) throw new InvalidOperationException("the filter drops what it should not");
    }

    [GlobalCleanup]
    public void Cleanup() => _device?.Dispose();

    [Benchmark(Baseline = true, Description = "opening the packet")]
    public bool Open() => ChaCha20Poly1305.TryOpen(_key, 0, _sealed, default, _opened);

    [Benchmark(Description = "in, by rule, TCP")]
    public bool Inbound() => _filter!.JudgeInbound(0, _peer!, _ruled, 2) is null;

    [Benchmark(Description = "in, answer, TCP")]
    public bool Answer() => _filter!.JudgeInbound(0, _peer!, _answer, 2) is null;

    [Benchmark(Description = "in, 2 answers of 2 flows", OperationsPerInvoke = 2)]
    public bool Answers() => _filter!.JudgeInbound(0, _peer!, _answer, 2) is null & _filter.JudgeInbound(0, _peer!, _otherAnswer, 2) is null;

    [Benchmark(Description = "in, by rule, UDP")]
    public bool Datagram() => _filter!.JudgeInbound(0, _peer!, _datagram, 2) is null;

    [Benchmark(Description = "out, TCP")]
    public bool Outbound() => _filter!.JudgeOutbound(_peer!, _outbound, 2) is null;

    private static uint Address(int n) => 0x64400000u + (uint)n + 1;

    private static Snapshot Snapshot()
    {
        var filter = new PacketFilter();
        for (int i = 0; i < Rules; i++)
        {
            filter.Ingress.Add(new FilterRule
            {
                Classes = { Enumerable.Range(0, 50).Select(n => (ulong)((i * 7 + n * 10) % Classes + 1)) },
                Ports = { new PortRange { First = (uint)i * 20, Last = (uint)i * 20 + 1 } },
            });
        }
        filter.Ingress.Add(new FilterRule { Classes = { (ulong)(77 % Classes + 1) }, Ports = { new PortRange { First = 77, Last = 77 } } });
        for (int i = 0; i < SubnetRules; i++)
        {
            filter.Ingress.Add(new FilterRule { Classes = { filter.Ingress[i].Classes }, Destinations = { Subnet(10, i) } });
            filter.Ingress.Add(new FilterRule { Sources = { Subnet(11, i) } });
        }
        var snapshot = new Snapshot
        {
            ResumeToken = ByteString.CopyFromUtf8("t"),
            Head = new LogHead { Position = 1, Hash = Bytes(32, 1), Signature = Bytes(64, 1) },
            Self = new Self { NodeId = 1_000_000, Name = "self", NodeKey = Bytes(32, 1_000_000), Addresses = { Prefix(0) } },
            Filter = filter,
        };
        for (int i = 1; i <= Peers; i++)
        {
            snapshot.Peers.Add(new Protocol.Control.Peer
            {
                NodeId = (ulong)i, Kind = PeerKind.Mesh, Name = $"peer-{i}", ClassId = (ulong)(i % Classes + 1), NodeKey = Bytes(32, i), Prefixes = { Prefix(i) },
            });
        }
        return snapshot;
    }

    private static Prefix Prefix(int n)
    {
        byte[] address = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(address, Address(n));
        return new Prefix { Address = ByteString.CopyFrom(address), Length = 32, Primary = true };
    }

    private static Prefix Subnet(byte net, int n) => new() { Address = ByteString.CopyFrom(net, (byte)n, 0, 0), Length = 16 };

    private static ByteString Bytes(int length, int n)
    {
        byte[] bytes = new byte[length];
        BinaryPrimitives.WriteInt32BigEndian(bytes, n);
        return ByteString.CopyFrom(bytes);
    }

    private static byte[] Packet(byte protocol, uint from, uint to, int fromPort, int toPort, byte flags)
    {
        byte[] packet = new byte[Length];
        packet[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), Length);
        packet[9] = protocol;
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(12), from);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(16), to);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(20), (ushort)fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(22), (ushort)toPort);
        packet[33] = flags;
        return packet;
    }
}
