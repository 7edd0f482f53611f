using System.Text;
using Mesh.Crypto;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>Many peers of one responder: their keys, and the responder's configuration as wg(8) reads it.</summary>
internal sealed class PeerSet
{
    public const int Port = 51820;

    public PeerSet(int count)
    {
        byte[] secret = new byte[SecretKey.Length];
        Responder = X25519PrivateKey.Generate();
        Responder.CopyTo(secret);
        var text = new StringBuilder($"[Interface]\nPrivateKey = {Convert.ToBase64String(secret)}\nListenPort = {Port}\n");
        Peers = new X25519PrivateKey[count];
        for (int i = 0; i < count; i++)
        {
            Peers[i] = X25519PrivateKey.Generate();
            text.Append($"[Peer]\nPublicKey = {Peers[i].PublicKey}\nAllowedIPs = 10.{100 + i / 65536}.{i / 256 % 256}.{i % 256}/32\n");
        }
        Configuration = text.ToString();
    }

    public X25519PrivateKey Responder { get; }

    public X25519PrivateKey[] Peers { get; }

    public string Configuration { get; }
}
