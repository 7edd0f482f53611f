using System.Text;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Kernel;
using Mesh.Node.Tests.Device;
using Mesh.Node.Uapi;
using Mesh.Node.Udp;

namespace Mesh.Node.Tests.Uapi;

public sealed class UapiConnectionTests : IDisposable
{
    private const string KeyA = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";
    private const string PublicB = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";
    private const string PublicC = "58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376";
    private const string Psk = "188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52";

    private readonly DeviceLab _lab = new();
    private readonly WireGuardDevice _device;
    private readonly FakeHost _host = new();

    public UapiConnectionTests() => _device = _lab.Add(1).Device;

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void What_was_set_is_what_is_got()
    {
        Assert.Equal("errno=0\n\n", Ask($"""
            set=1
            private_key={KeyA}
            listen_port=12912
            fwmark=51820
            replace_peers=true
            public_key={PublicB}
            preshared_key={Psk}
            endpoint=[abcd:23::33%2]:51820
            replace_allowed_ips=true
            allowed_ip=192.168.4.4/32
            allowed_ip=10.1.2.3/8
            public_key={PublicC}
            persistent_keepalive_interval=111
            endpoint=182.122.22.19:3233
            replace_allowed_ips=true
            allowed_ip=abcd::/16


            """));
        Assert.Equal($"""
            private_key={KeyA}
            listen_port=12912
            fwmark=51820
            public_key={PublicB}
            preshared_key={Psk}
            protocol_version=1
            endpoint=[abcd:23::33]:51820
            last_handshake_time_sec=0
            last_handshake_time_nsec=0
            tx_bytes=0
            rx_bytes=0
            persistent_keepalive_interval=0
            allowed_ip=192.168.4.4/32
            allowed_ip=10.0.0.0/8
            public_key={PublicC}
            preshared_key={new string('0', 64)}
            protocol_version=1
            endpoint=182.122.22.19:3233
            last_handshake_time_sec=0
            last_handshake_time_nsec=0
            tx_bytes=0
            rx_bytes=0
            persistent_keepalive_interval=111
            allowed_ip=abcd::/16
            errno=0


            """, Ask("get=1\n\n"));
    }

    [Fact]
    public void A_peer_is_changed_removed_and_only_updated_as_asked()
    {
        Set($"public_key={PublicB}\nallowed_ip=10.0.0.0/24\nallowed_ip=10.0.1.0/24\npublic_key={PublicC}\nallowed_ip=10.0.2.0/24");
        Set($"public_key={PublicB}\nallowed_ip=-10.0.0.0/24\nallowed_ip=10.0.2.0/24");
        Peer b = _device.FindPeer(new X25519PublicKey(Convert.FromHexString(PublicB)))!;
        Assert.Equal(["10.0.1.0/24", "10.0.2.0/24"], _device.AllowedIps.Of(b).Select(prefix => prefix.ToString()));
        Set($"public_key={new string('7', 64)}\nupdate_only=true\nallowed_ip=10.0.1.0/24");
        Assert.Equal(2, _device.Peers.Count);
        Assert.Equal(2, _device.AllowedIps.Of(b).Count);
        Set($"public_key={PublicB}\nremove=true\nallowed_ip=10.9.0.0/16");
        Assert.Equal([PublicC], _device.Peers.Select(peer => Convert.ToHexStringLower(peer.PublicKeys[0].AsSpan())));
        Set("replace_peers=true");
        Assert.Empty(_device.Peers);
    }

    [Fact]
    public void Our_own_key_is_no_peer_and_a_peer_with_the_new_key_is_removed()
    {
        using var key = new X25519PrivateKey(Convert.FromHexString(KeyA));
        string own = Convert.ToHexStringLower(key.PublicKey.AsSpan());
        Set($"public_key={own}\nallowed_ip=10.0.0.0/24");
        Assert.Single(_device.Peers);
        Set($"private_key={KeyA}");
        Assert.Empty(_device.Peers);
        Set($"public_key={own}\nallowed_ip=10.0.0.0/24\nendpoint=1.2.3.4:5");
        Assert.Empty(_device.Peers);
        Set($"private_key={new string('0', 64)}");
        Assert.DoesNotContain("private_key", Ask("get=1\n\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("private_key=12", Errno.EINVAL)]
    [InlineData("private_key=zz4b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a", Errno.EINVAL)]
    [InlineData("listen_port=65536", Errno.EINVAL)]
    [InlineData("listen_port=-1", Errno.EINVAL)]
    [InlineData("listen_port= 1", Errno.EINVAL)]
    [InlineData("listen_port=99", Errno.EADDRINUSE)]
    [InlineData("fwmark=4294967296", Errno.EINVAL)]
    [InlineData("replace_peers=false", Errno.EINVAL)]
    [InlineData("endpoint=1.2.3.4:5", Errno.EINVAL)]
    [InlineData("no such key=1", Errno.EINVAL)]
    [InlineData("nothing", Errno.EPROTO)]
    [InlineData("public_key=00", Errno.EINVAL)]
    [InlineData("public_key=" + PublicB + "\nendpoint=localhost:5", Errno.EINVAL)]
    [InlineData("public_key=" + PublicB + "\nendpoint=1.2.3.4", Errno.EINVAL)]
    [InlineData("public_key=" + PublicB + "\nallowed_ip=1.2.3.4/33", Errno.EINVAL)]
    [InlineData("public_key=" + PublicB + "\npersistent_keepalive_interval=65536", Errno.EINVAL)]
    [InlineData("public_key=" + PublicB + "\nprotocol_version=2", Errno.EINVAL)]
    [InlineData("public_key=" + PublicB + "\nprivate_key=" + KeyA, Errno.EINVAL)]
    public void What_cannot_be_done_is_answered_with_its_errno(string lines, int errno) =>
        Assert.Equal($"errno=-{errno}\n\n", Ask($"set=1\n{lines}\n\n"));

    [Fact]
    public void A_read_only_device_answers_a_set_with_eperm_and_changes_nothing()
    {
        _host.IsReadOnly = true;
        Assert.Equal($"errno=-{Errno.EPERM}\n\n", Ask($"set=1\npublic_key={PublicB}\n\n"));
        Assert.Empty(_device.Peers);
    }

    [Theory]
    [InlineData("")]
    [InlineData("get=2\n\n")]
    [InlineData("get=1\nx\n")]
    [InlineData("hello\n")]
    public void What_is_no_request_ends_the_connection_without_an_answer(string request) => Assert.Equal("", Ask(request));

    [Fact]
    public void A_line_without_end_is_not_kept()
    {
        string answer = Ask("set=1\n" + new string('x', 1 << 20));
        Assert.Equal($"errno=-{Errno.EPROTO}\n\n", answer);
    }

    [Fact]
    public void Several_requests_follow_one_another_on_one_connection() =>
        Assert.Equal("errno=0\n\nerrno=0\n\n", Ask($"set=1\npublic_key={PublicB}\nremove=true\n\nset=1\n\n"));

    [Fact]
    public void Random_requests_never_throw()
    {
        var random = new Random(11);
        string[] pieces = ["set=1\n", "get=1\n", "\n", $"public_key={PublicB}\n", $"private_key={KeyA}\n", "allowed_ip=10.0.0.0/8\n", "allowed_ip=-::/0\n",
            "endpoint=1.2.3.4:5\n", "remove=true\n", "update_only=true\n", "replace_peers=true\n", "listen_port=1\n", "fwmark=0\n", "=\n", "x", "\0", "persistent_keepalive_interval=5\n"];
        for (int i = 0; i < 3000; i++)
        {
            var request = new StringBuilder();
            for (int n = random.Next(1, 12); n > 0; n--) request.Append(pieces[random.Next(pieces.Length)]);
            Assert.Matches("^([a-z_]+=.*\n)*", Ask(request.ToString()));
        }
    }

    private void Set(string lines) => Assert.Equal("errno=0\n\n", Ask($"set=1\n{lines}\n\n"));

    private string Ask(string request)
    {
        using var stream = new Duplex(Encoding.UTF8.GetBytes(request));
        new UapiConnection(_device, _host, stream).Serve();
        return Encoding.UTF8.GetString(stream.Written.ToArray());
    }

    private sealed class FakeHost : IUapiHost
    {
        public int ListenPort { get; private set; }

        public uint Fwmark { get; private set; }

        public bool IsReadOnly { get; set; }

        public void SetListenPort(int port) =>
            ListenPort = port == 99 ? throw new UdpException("listen on UDP port 99", Errno.EADDRINUSE) : port;

        public void SetFwmark(uint mark) => Fwmark = mark;
    }

    /// <summary>Reads the request, a few bytes at a time, and keeps what is written.</summary>
    private sealed class Duplex(byte[] request) : MemoryStream(request)
    {
        public MemoryStream Written { get; } = new();

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 7)]);

        public override void Write(ReadOnlySpan<byte> buffer) => Written.Write(buffer);

        public override void Write(byte[] buffer, int offset, int count) => Written.Write(buffer, offset, count);
    }
}
