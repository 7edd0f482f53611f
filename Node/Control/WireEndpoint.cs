using System.Net;
using Google.Protobuf;
using Mesh.Node.Udp;
using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

/// <summary>Endpoints and prefixes between the control channel's form and this node's.</summary>
internal static class WireEndpoint
{
    public static Endpoint ToWire(in UdpEndpoint endpoint, EndpointSource source)
    {
        Span<byte> address = stackalloc byte[16];
        int length = endpoint.WriteAddress(address);
        return new Endpoint { Address = ByteString.CopyFrom(address[..length]), Port = (uint)endpoint.Port, Source = source };
    }

    /// <param name="wire">Checked by <see cref="MapRules"/>: 4 or 16 bytes and a port.</param>
    public static UdpEndpoint FromWire(Endpoint wire) => UdpEndpoint.From(new IPAddress(wire.Address.Span), (int)wire.Port);

    /// <param name="wire">Checked by <see cref="MapRules"/>.</param>
    public static IPNetwork ToNetwork(this Prefix wire) => new(new IPAddress(wire.Address.Span), (int)wire.Length);
}
