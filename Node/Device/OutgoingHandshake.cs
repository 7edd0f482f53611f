using Mesh.Crypto.Noise;

namespace Mesh.Node.Device;

/// <summary>An initiation that waits for its response. The control thread's alone, but for the index table.</summary>
internal sealed class OutgoingHandshake(Peer peer, StaticIdentity local, RemoteIdentity remote, NoiseIk noise) : IIndexed, IDisposable
{
    public Peer Peer { get; } = peer;

    public StaticIdentity Local { get; } = local;

    public RemoteIdentity Remote { get; } = remote;

    public NoiseIk Noise { get; } = noise;

    public uint LocalIndex { get; set; }

    public void Dispose() => Noise.Dispose();
}
