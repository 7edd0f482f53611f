using System.Text;
using System.Text.RegularExpressions;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Kernel;
using Mesh.Node.Tests.Device;
using Mesh.Node.Uapi;
using Mesh.Node.Udp;

namespace Mesh.Fuzz;

/// <summary>
/// The configuration protocol: whatever a client writes, it is answered by well-formed lines and a known errno or cut off, the
/// device stays whole, and what "get" shows can be set again.
/// </summary>
public sealed partial class UapiFuzz(ITestOutputHelper output)
{
    private const int InputsPerEpoch = 150;

    private static readonly string[] Words =
    [
        "set=1\n", "get=1\n", "\n", "\n\n", "=", "true\n", "remove=true\n", "update_only=true\n", "replace_peers=true\n", "replace_allowed_ips=true\n",
        "allowed_ip=", "allowed_ip=-", "10.0.0.0/8\n", "::/0\n", "endpoint=", "1.2.3.4:5\n", "[::1]:5\n", "[fe80::1%lo]:9\n", "listen_port=", "99\n", "fwmark=", "0x1\n",
        "persistent_keepalive_interval=", "65535\n", "65536\n", "protocol_version=1\n", "protocol_version=2\n",
        "public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33\n",
        "public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\n",
        "public_key=0000000000000000000000000000000000000000000000000000000000000000\n",
        "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n",
        "preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\n",
    ];

    [Fact]
    public void The_configuration_protocol_answers_anything_and_keeps_the_device_whole()
    {
        var corpus = Corpus.Files("uapi");
        var run = new FuzzRun("uapi", output);
        long done = 0;
        Dictionary<int, int> errnos = [];
        run.Run(20, random =>
        {
            using var lab = new DeviceLab();
            WireGuardDevice device = lab.Add(1).Device;
            var host = new Host { IsReadOnly = random.Next(12) == 0 };
            var mutator = new Mutator(random, corpus, Words);
            for (int i = 0; i < InputsPerEpoch; i++)
            {
                byte[] request = random.Next(12) == 0 ? mutator.Pick() : mutator.Next();
                run.Try(request);
                string answer = Ask(device, host, request, random.Next(1, 600));
                Assert.Matches(Answer(), answer);
                foreach (Match match in Errno().Matches(answer))
                {
                    int errno = int.Parse(match.Groups[1].ValueSpan);
                    Assert.Contains(errno, (int[])[0, Node.Kernel.Errno.EPERM, Node.Kernel.Errno.EINVAL, Node.Kernel.Errno.EPROTO, Node.Kernel.Errno.EADDRINUSE]);
                    errnos[errno] = errnos.GetValueOrDefault(errno) + 1;
                    done += errno == 0 ? 1 : 0;
                }
                if (host.IsReadOnly) Assert.Empty(device.Peers);
                if (i % 50 == 49) CheckDevice(device, host);
            }
            lab.Settle();
        }, () => "answers: " + string.Join(' ', errnos.OrderBy(entry => entry.Key).Select(entry => $"errno={-entry.Key}: {entry.Value}")));
        Assert.True(done > 0);
    }

    private static string Ask(WireGuardDevice device, Host host, byte[] request, int chunk = int.MaxValue)
    {
        using var stream = new Duplex(request, chunk);
        new UapiConnection(device, host, stream).Serve();
        return Encoding.UTF8.GetString(stream.Written.ToArray());
    }

    private static void CheckDevice(WireGuardDevice device, Host host)
    {
        byte[] own = new byte[SecretKey.Length];
        X25519PublicKey? ours = null;
        if (device.TryCopyPrivateKey(own))
        {
            using var key = new X25519PrivateKey(own);
            ours = key.PublicKey;
        }
        foreach (Peer peer in device.Peers)
        {
            X25519PublicKey theirs = Assert.Single(peer.PublicKeys);
            Assert.False(theirs == ours);
            Assert.Same(peer, device.FindPeer(theirs));
            foreach (IpPrefix prefix in device.AllowedIps.Of(peer)) Assert.NotNull(device.AllowedIps.Lookup(prefix.Address));
        }
        string shown = Lasting(Ask(device, host, "get=1\n\n"u8.ToArray()));
        if (host.IsReadOnly) return;
        Assert.Equal("errno=0\n\n", Ask(device, host, Encoding.UTF8.GetBytes("set=1\nreplace_peers=true\n" + shown + "\n")));
        Assert.Equal(shown, Lasting(Ask(device, host, "get=1\n\n"u8.ToArray())));
    }

    /// <summary>The lines of an answer that are settings.</summary>
    private static string Lasting(string answer) =>
        string.Concat(answer.Split('\n').Where(line => line.Length > 0 && !line.StartsWith("errno=", StringComparison.Ordinal)
            && !line.StartsWith("last_handshake_time", StringComparison.Ordinal) && !line.StartsWith("tx_bytes", StringComparison.Ordinal)
            && !line.StartsWith("rx_bytes", StringComparison.Ordinal)).Select(line => line + "\n"));

    // Whole answers only, each ended by its errno and an empty line.
    [GeneratedRegex("\\A(([a-z_]+=[^\n]*\n)*errno=-?[0-9]+\n\n)*\\z")]
    private static partial Regex Answer();

    [GeneratedRegex("^errno=-?([0-9]+)$", RegexOptions.Multiline)]
    private static partial Regex Errno();

    private sealed class Host : IUapiHost
    {
        public int ListenPort { get; private set; }

        public uint Fwmark { get; private set; }

        public bool IsReadOnly { get; init; }

        public void SetListenPort(int port) => ListenPort = port == 99 ? throw new UdpException("listen on UDP port 99", Node.Kernel.Errno.EADDRINUSE) : port;

        public void SetFwmark(uint mark) => Fwmark = mark;
    }

    /// <summary>Reads the request, a chunk at a time, and keeps what is written.</summary>
    private sealed class Duplex(byte[] request, int chunk) : MemoryStream(request)
    {
        public MemoryStream Written { get; } = new();

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, chunk)]);

        public override void Write(ReadOnlySpan<byte> buffer) => Written.Write(buffer);

        public override void Write(byte[] buffer, int offset, int count) => Written.Write(buffer, offset, count);
    }
}
