using System.Net.Http.Headers;
using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Protocol;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Hosting;

public sealed class HostileRequestTests : IAsyncLifetime
{
    private static readonly string[] Paths =
        [NodeApi.Challenge, NodeApi.Register, NodeApi.Map, NodeApi.Report, NodeApi.Reach, NodeApi.Rotate, NodeApi.Logout];

    private ServedCoordinator _coordinator = null!;
    private TestMachine _machine = null!;

    public async ValueTask InitializeAsync()
    {
        _coordinator = await ServedCoordinator.StartAsync();
        _machine = await _coordinator.JoinAsync();
    }

    public ValueTask DisposeAsync()
    {
        _machine.Dispose();
        return _coordinator.DisposeAsync();
    }

    [Fact]
    public async Task Random_bytes_on_every_endpoint_give_a_typed_problem_and_no_line_in_the_log()
    {
        int before = _coordinator.Log.Lines.Count;
        foreach (string path in Paths)
        {
            for (int i = 0; i < 40; i++)
            {
                // From short ones, which sometimes parse, to long ones.
                byte[] body = RandomNumberGenerator.GetBytes(RandomNumberGenerator.GetInt32(1, i < 20 ? 8 : 3000));
                using var response = await _machine.SendAsync(path, body);
                var problem = TestMachine.ProblemOf(response, await response.Content.ReadAsByteArrayAsync());
                Assert.True(problem.Status is 400 or 404 or 426, $"{path}: {problem}");
            }
        }
        Assert.Equal(before, _coordinator.Log.Lines.Count);
    }

    [Fact]
    public async Task An_empty_body_lacks_its_header()
    {
        foreach (string path in Paths)
        {
            using var response = await _machine.SendAsync(path, []);
            var problem = TestMachine.ProblemOf(response, await response.Content.ReadAsByteArrayAsync());
            Assert.Equal((400, ProblemType.Malformed, "header"), (problem.Status, problem.Type, problem.Field));
        }
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused_whether_it_says_so_or_not()
    {
        foreach (string path in Paths)
        {
            byte[] body = new byte[ControlLimits.RequestBodyBytes + 1];
            using var told = await _machine.SendAsync(path, body);
            Assert.Equal(ProblemType.TooLarge, TestMachine.ProblemOf(told, await told.Content.ReadAsByteArrayAsync()).Type);

            var untold = new StreamContent(new Unseekable(new byte[4 * ControlLimits.RequestBodyBytes]));
            untold.Headers.ContentType = new MediaTypeHeaderValue(NodeApi.MessageContentType);
            try
            {
                using var response = await _machine.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = untold });
                Assert.Equal(ProblemType.TooLarge, TestMachine.ProblemOf(response, await response.Content.ReadAsByteArrayAsync()).Type);
            }
            catch (HttpRequestException)
            {
                // The stream was reset while the rest was still being sent: nothing more is taken either way.
            }
        }
    }

    [Fact]
    public async Task A_body_of_exactly_the_limit_is_read()
    {
        // An unknown field as filler: dropped by the parser.
        byte[] message = new ChallengeRequest { Header = TestMachine.Header() }.ToByteArray();
        int filler = ControlLimits.RequestBodyBytes - message.Length - 4;
        byte[] body = [.. message, 0x7a, .. Varint(filler), .. new byte[filler]];
        Assert.Equal(ControlLimits.RequestBodyBytes, body.Length);
        using var response = await _machine.SendAsync(NodeApi.Challenge, body);
        Assert.True(response.IsSuccessStatusCode);
    }

    [Fact]
    public async Task Other_paths_methods_and_content_types_are_problems()
    {
        using var path = await _machine.SendAsync("/v1/nothing", []);
        Assert.Equal(404, TestMachine.ProblemOf(path, await path.Content.ReadAsByteArrayAsync()).Status);
        using var admin = await _machine.SendAsync("/v1/networks/default/keys", []);
        Assert.Equal(404, TestMachine.ProblemOf(admin, await admin.Content.ReadAsByteArrayAsync()).Status);
        using var method = await _machine.SendAsync(new HttpRequestMessage(HttpMethod.Get, NodeApi.Map));
        Assert.Equal(405, TestMachine.ProblemOf(method, await method.Content.ReadAsByteArrayAsync()).Status);
        using var type = await _machine.SendAsync(NodeApi.Challenge, [], "application/json");
        Assert.Equal(415, TestMachine.ProblemOf(type, await type.Content.ReadAsByteArrayAsync()).Status);
    }

    [Fact]
    public async Task A_version_that_is_not_spoken_is_told_so()
    {
        var header = TestMachine.Header();
        header.ProtocolVersion = ProtocolVersion.Current + 1;
        var problem = await _machine.RefusedAsync(NodeApi.Challenge, new ChallengeRequest { Header = header });
        Assert.Equal((426, ProblemType.Version), (problem.Status, problem.Type));
    }

    [Fact]
    public async Task An_unknown_network_is_told_so_and_a_name_that_is_none_is_malformed()
    {
        Assert.Equal(ProblemType.UnknownNetwork,
            (await _machine.RefusedAsync(NodeApi.Challenge, new ChallengeRequest { Header = TestMachine.Header("elsewhere") })).Type);
        foreach (string name in new[] { "", "../default", "DEFAULT", "-x", new string('a', 64) })
        {
            Assert.Equal("header.network",
                (await _machine.RefusedAsync(NodeApi.Challenge, new ChallengeRequest { Header = TestMachine.Header(name) })).Field);
        }
    }

    [Fact]
    public async Task A_stranger_gets_no_map_and_can_report_rotate_and_reach_nothing()
    {
        using var stranger = new TestMachine(_coordinator);
        var boot = ByteString.CopyFrom(stranger.BootId);
        IMessage[] requests =
        [
            new MapRequest { Header = TestMachine.Header(), BootId = boot },
            new ReportRequest { Header = TestMachine.Header(), BootId = boot },
            new ReachRequest { Header = TestMachine.Header(), NodeId = _machine.NodeId },
            new RotateRequest { Header = TestMachine.Header(), NodeKey = await stranger.ProveAsync(stranger.NodeKey) },
        ];
        string[] paths = [NodeApi.Map, NodeApi.Report, NodeApi.Reach, NodeApi.Rotate];
        foreach (var (path, request) in paths.Zip(requests))
            Assert.Equal((403, ProblemType.NotRegistered), ((await stranger.RefusedAsync(path, request)) is var p ? (p.Status, p.Type) : default));
    }

    [Fact]
    public async Task Requests_of_one_address_are_limited_and_told_when_to_come_back()
    {
        await using var strict = await ServedCoordinator.StartAsync(requestsPerSecond: 5);
        using var machine = new TestMachine(strict);
        int passed = 0;
        HttpResponseMessage? refused = null;
        while (refused is null && passed < 100)
        {
            var response = await machine.SendAsync(NodeApi.Challenge, new ChallengeRequest { Header = TestMachine.Header() }.ToByteArray());
            if (response.IsSuccessStatusCode) passed++;
            else refused = response;
        }
        Assert.Equal(20, passed);
        Assert.Equal(ProblemType.Busy, TestMachine.ProblemOf(refused!, await refused!.Content.ReadAsByteArrayAsync()).Type);
        Assert.NotNull(refused.Headers.RetryAfter);
        strict.Clock.Advance(TimeSpan.FromSeconds(1));
        await machine.ChallengeAsync();
    }

    /// <summary>One field at a time just outside of its bound.</summary>
    [Fact]
    public async Task Every_field_is_held_against_its_bound_and_named()
    {
        var boot = ByteString.CopyFrom(_machine.BootId);
        RegisterRequest Register() => new()
        {
            Header = TestMachine.Header(),
            NodeKey = new NodeKeyProof { NodeKey = Bytes(32), ChallengeId = Bytes(16), Proof = Bytes(32) },
            Host = new HostFacts(),
        };
        ReportRequest Report() => new() { Header = TestMachine.Header(), BootId = boot, Host = new HostFacts() };
        MapRequest Map() => new() { Header = TestMachine.Header(), BootId = boot };
        LogHead Head() => new() { Hash = Bytes(32), Signature = Bytes(64), LogKeyCertificate = Bytes(100) };
        Endpoint Point(byte[] address, uint port = 1, EndpointSource source = EndpointSource.Local) =>
            new() { Address = ByteString.CopyFrom(address), Port = port, Source = source };
        T With<T>(T message, Action<T> change)
        {
            change(message);
            return message;
        }

        (string Path, IMessage Request, string Field)[] cases =
        [
            (NodeApi.Challenge, With(new ChallengeRequest { Header = TestMachine.Header() }, m => m.Header.Capabilities.AddRange(Enumerable.Repeat(Capability.PacketFilter, 33))), "header.capabilities"),
            (NodeApi.Register, With(Register(), m => m.NodeKey = null), "node_key"),
            (NodeApi.Register, With(Register(), m => m.NodeKey.NodeKey = Bytes(31)), "node_key.node_key"),
            (NodeApi.Register, With(Register(), m => m.NodeKey.ChallengeId = Bytes(17)), "node_key.challenge_id"),
            (NodeApi.Register, With(Register(), m => m.NodeKey.Proof = Bytes(0)), "node_key.proof"),
            (NodeApi.Register, With(Register(), m => m.PreAuthKey = new string('a', ControlLimits.PreAuthKeyChars + 1)), "pre_auth_key"),
            (NodeApi.Register, With(Register(), m => m.PreAuthKey = "mkey_\u00e9"), "pre_auth_key"),
            (NodeApi.Register, With(Register(), m => m.Hostname = new string('\u00e9', 127)), "hostname"),
            (NodeApi.Register, With(Register(), m => m.Hostname = "a\u001b[2J"), "hostname"),
            (NodeApi.Register, With(Register(), m => m.Host.Os = new string('a', 65)), "host.os"),
            (NodeApi.Register, With(Register(), m => m.Host.OsVersion = "\u00e9"), "host.os_version"),
            (NodeApi.Register, With(Register(), m => m.Host.Architecture = "\n"), "host.architecture"),
            (NodeApi.Register, With(Register(), m => m.Host.MeshVersion = "\u007f"), "host.mesh_version"),
            (NodeApi.Map, With(Map(), m => m.BootId = Bytes(15)), "boot_id"),
            (NodeApi.Map, With(Map(), m => m.ResumeToken = Bytes(257)), "resume_token"),
            (NodeApi.Map, With(Map(), m => m.KnownHead = With(Head(), h => h.Hash = Bytes(33))), "known_head.hash"),
            (NodeApi.Map, With(Map(), m => m.KnownHead = With(Head(), h => h.Signature = Bytes(63))), "known_head.signature"),
            (NodeApi.Map, With(Map(), m => m.KnownHead = With(Head(), h => h.LogKeyCertificate = Bytes(1025))), "known_head.log_key_certificate"),
            (NodeApi.Map, With(Map(), m => m.KnownHead = With(Head(), h => h.Position = ulong.MaxValue)), "known_head.position"),
            (NodeApi.Report, With(Report(), m => m.BootId = Bytes(0)), "boot_id"),
            (NodeApi.Report, With(Report(), m => m.ListenPort = 65536), "listen_port"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.AddRange(Enumerable.Repeat(Point([192, 0, 2, 1]), 33))), "endpoints"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([192, 0, 2]))), "endpoints.address"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([0, 0, 0, 0]))), "endpoints.address"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([224, 0, 0, 1]))), "endpoints.address"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([255, 255, 255, 255]))), "endpoints.address"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))), "endpoints.address"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]))), "endpoints.address"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([192, 0, 2, 1], 0))), "endpoints.port"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([192, 0, 2, 1], 65536))), "endpoints.port"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([192, 0, 2, 1], 1, EndpointSource.Unspecified))), "endpoints.source"),
            (NodeApi.Report, With(Report(), m => m.Endpoints.Add(Point([192, 0, 2, 1], 1, (EndpointSource)99))), "endpoints.source"),
            (NodeApi.Report, With(Report(), m => m.Fork = new ForkEvidence { Received = Head() }), "fork"),
            (NodeApi.Report, With(Report(), m => m.Fork = new ForkEvidence { Received = Head(), Remembered = new LogHead() }), "fork.remembered.hash"),
            (NodeApi.Reach, With(new ReachRequest { Header = TestMachine.Header() }, m => m.Endpoints.Add(Point([1]))), "endpoints.address"),
            (NodeApi.Rotate, new RotateRequest { Header = TestMachine.Header(), NodeKey = new NodeKeyProof() }, "node_key.node_key"),
            (NodeApi.Rotate, new RotateRequest { Header = TestMachine.Header(), NodeKey = new NodeKeyProof(), RetirePrevious = true }, "retire_previous"),
        ];
        foreach (var (path, request, field) in cases)
        {
            var problem = await _machine.RefusedAsync(path, request);
            Assert.Equal((400, ProblemType.Malformed, field), (problem.Status, problem.Type, problem.Field));
        }
    }

    private static ByteString Bytes(int count) => ByteString.CopyFrom(new byte[count]);

    private static byte[] Varint(int value) =>
        [(byte)(value | 0x80), (byte)(value >> 7 | 0x80), (byte)(value >> 14)];

    /// <summary>Content without a length.</summary>
    private sealed class Unseekable(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
