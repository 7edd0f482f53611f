using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Mesh.Crypto;
using Mesh.Crypto.Noise;
using Mesh.Protocol.WireGuard;

namespace Mesh.Benchmarks.Tunnel;

/// <summary>
/// Asks a responder for one session of each of many peers, so that no limit of a single peer applies, with a bounded number of
/// questions in flight. All initiations are made beforehand: what is measured is the answering.
/// </summary>
internal sealed class HandshakeLoad
{
    public const int Window = 64;

    private readonly byte[][] _initiations;

    public HandshakeLoad(PeerSet peers)
    {
        X25519PublicKey responder = peers.Responder.PublicKey;
        var mac1 = new Mac1Key(responder);
        byte[] stamp = new byte[Tai64N.Length], shared = new byte[SecretKey.Length];
        Tai64N.From(DateTimeOffset.UtcNow).Write(stamp);
        _initiations = new byte[peers.Peers.Length][];
        for (int i = 0; i < _initiations.Length; i++)
        {
            byte[] message = _initiations[i] = new byte[InitiationLayout.Length];
            BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)MessageType.Initiation);
            BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(InitiationLayout.Sender), i + 1);
            X25519PrivateKey local = peers.Peers[i];
            using var noise = NoiseIk.Initiator(NoiseProtocol.WireGuard, responder);
            if (!local.TryAgree(responder, shared) || !noise.TryWriteFirst(X25519PrivateKey.Generate(), local, responder, shared, stamp,
                message.AsSpan(InitiationLayout.Noise, InitiationLayout.NoiseLength)))
                throw new InvalidOperationException("a key of low order");
            mac1.Compute(message.AsSpan(0, InitiationLayout.Mac1), message.AsSpan(InitiationLayout.Mac1, Blake2s.MacLength));
        }
    }

    /// <summary>Sends the initiations through the socket and counts what is answered.</summary>
    /// <param name="socket">Made in the host that asks.</param>
    /// <returns>Answers, and the seconds that they took.</returns>
    public (int Answers, int Cookies, double Seconds) Run(Socket socket, string address)
    {
        socket.Connect(new IPEndPoint(IPAddress.Parse(address), PeerSet.Port));
        socket.ReceiveTimeout = 1000;
        socket.ReceiveBufferSize = 4 << 20;
        byte[] buffer = new byte[2048];
        int sent = 0, answers = 0, cookies = 0;
        long start = Stopwatch.GetTimestamp(), last = start;
        while (sent < Math.Min(Window, _initiations.Length)) socket.Send(_initiations[sent++]);
        try
        {
            while (answers + cookies < _initiations.Length)
            {
                int length = socket.Receive(buffer);
                if (length == ResponseLayout.Length && buffer[0] == (byte)MessageType.Response) answers++;
                else if (length == CookieReplyLayout.Length && buffer[0] == (byte)MessageType.CookieReply) cookies++;
                else continue;
                last = Stopwatch.GetTimestamp();
                if (sent < _initiations.Length) socket.Send(_initiations[sent++]);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            // The rest is not answered any more; the time ends with the last answer.
        }
        return (answers, cookies, Stopwatch.GetElapsedTime(start, last).TotalSeconds);
    }
}
