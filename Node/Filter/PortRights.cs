namespace Mesh.Node.Filter;

/// <summary>The protocols and destination ports that some rules together allow. Immutable.</summary>
internal sealed class PortRights
{
    private readonly ProtocolSet _portless;
    private readonly PortSet _tcp;
    private readonly PortSet _udp;
    private readonly PortSet _sctp;

    private PortRights(Builder builder) =>
        (_portless, _tcp, _udp, _sctp) = (builder.Portless, new PortSet(builder.Tcp), new PortSet(builder.Udp), new PortSet(builder.Sctp));

    /// <param name="port">Ignored for protocols without ports, which any rule that names them lets through.</param>
    public bool Allows(byte protocol, ushort port) => protocol switch
    {
        IpProtocol.Tcp => _tcp.Contains(port),
        IpProtocol.Udp => _udp.Contains(port),
        IpProtocol.Sctp => _sctp.Contains(port),
        _ => _portless.Contains(protocol),
    };

    internal sealed class Builder
    {
        public ProtocolSet Portless;

        public List<(ushort First, ushort Last)> Tcp { get; } = [];

        public List<(ushort First, ushort Last)> Udp { get; } = [];

        public List<(ushort First, ushort Last)> Sctp { get; } = [];

        public void Add(CompiledRule rule)
        {
            foreach (byte protocol in rule.Protocols)
            {
                var ports = protocol switch
                {
                    IpProtocol.Tcp => Tcp,
                    IpProtocol.Udp => Udp,
                    IpProtocol.Sctp => Sctp,
                    _ => null,
                };
                if (ports is null) Portless.Add(protocol);
                else ports.AddRange(rule.Ports);
            }
        }

        public PortRights Build() => new(this);
    }

    /// <summary>256 bits.</summary>
    internal struct ProtocolSet
    {
        private ulong _a, _b, _c, _d;

        public void Add(byte protocol) => Word(protocol >> 6, ref this) |= 1UL << (protocol & 63);

        public readonly bool Contains(byte protocol) => ((protocol >> 6) switch
        {
            0 => _a,
            1 => _b,
            2 => _c,
            _ => _d,
        } >> (protocol & 63) & 1) != 0;

        private static ref ulong Word(int index, ref ProtocolSet set)
        {
            switch (index)
            {
                case 0: return ref set._a;
                case 1: return ref set._b;
                case 2: return ref set._c;
                default: return ref set._d;
            }
        }
    }
}
