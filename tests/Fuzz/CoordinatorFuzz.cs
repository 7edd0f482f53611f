using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Map;
using Mesh.Protocol.Control;

namespace Mesh.Fuzz;

/// <summary>What the coordinator checks of a node's requests, as the plain functions that its handlers call.</summary>
public sealed class CoordinatorFuzz(ITestOutputHelper output)
{
    [Fact]
    public void Requests_are_within_their_bounds_or_a_typed_problem()
    {
        int fine = 0, refused = 0, unreadable = 0;
        var run = new FuzzRun("requests", output);
        byte[][] corpus = [Register().ToByteArray(), Report().ToByteArray()];
        run.Run(40, random =>
        {
            var mutator = new MessageMutator(random, ByteString.CopyFrom(new byte[16]), ByteString.CopyFrom(224, 0, 0, 1), ByteString.CopyFrom(0, 0, 0, 0), ByteString.CopyFrom([0xff, 2, .. new byte[14]]), ByteString.CopyFrom([.. new byte[10], 0xff, 0xff, 1, 2, 3, 4]));
            var bytes = new Mutator(random, corpus);
            for (int i = 0; i < 250; i++)
            {
                RegisterRequest register = mutator.Change(Register());
                ReportRequest report = mutator.Change(Report());
                byte[] raw = i % 2 == 0 ? bytes.Next() : random.Next(2) == 0 ? register.ToByteArray() : report.ToByteArray();
                run.Try(raw);
                try
                {
                    Count(Check(RegisterRequest.Parser.ParseFrom(raw)));
                    Count(Check(ReportRequest.Parser.ParseFrom(raw)));
                }
                catch (InvalidProtocolBufferException)
                {
                    unreadable++; // the pipeline's own answer to it
                }
                Count(Check(register));
                Count(Check(report));
            }
        }, () => $"{fine} fine, {refused} refused, {unreadable} unreadable");
        Assert.True(fine > 0 && refused > 0);

        void Count(Problem? problem)
        {
            if (problem is null) fine++;
            else refused++;
        }
    }

    [Fact]
    public void Resume_tokens_that_this_coordinator_did_not_make_are_refused()
    {
        byte[] key = RandomNumberGenerator.GetBytes(ResumeToken.KeyBytes);
        NetworkId network = NetworkId.New();
        var point = new LogPoint(77, new Bytes32(SHA256.HashData("head"u8)));
        byte[] token = new ResumeToken(point, 5, 6).Encode(key, network, 9);
        var run = new FuzzRun("resume tokens", output);
        int taken = 0;
        run.Run(40, random =>
        {
            var mutator = new Mutator(random, [token]);
            for (int i = 0; i < 300; i++)
            {
                byte[] changed = random.Next(20) == 0 ? token : mutator.Next();
                run.Try(changed);
                bool same = changed.AsSpan().SequenceEqual(token);
                Assert.Equal(same, ResumeToken.TryDecode(changed, key, network, 9, out ResumeToken? read));
                taken += same ? 1 : 0;
                if (same) Assert.Equal((point, 5UL, 6L), (read!.Point, read.PresenceEpoch, read.PresenceVersion));
                Assert.False(ResumeToken.TryDecode(changed, key, network, 10, out _));
            }
        }, () => $"{taken} taken");
        Assert.True(taken > 0);
    }

    private static Problem? Check(RegisterRequest request)
    {
        Problem? problem = RequestCheck.Header(request.Header) ?? RequestCheck.Proof(request.NodeKey) ?? RequestCheck.PreAuthKey(request.PreAuthKey)
            ?? RequestCheck.Hostname(request.Hostname) ?? RequestCheck.Host(request.Host);
        if (problem is not null) return problem;
        Assert.InRange(request.Header.Capabilities.Count, 0, ControlLimits.Capabilities);
        Assert.Equal(ControlLimits.KeyBytes, request.NodeKey.NodeKey.Length);
        Assert.InRange(request.PreAuthKey.Length, 0, ControlLimits.PreAuthKeyChars);
        Assert.DoesNotContain(request.Hostname, char.IsControl);
        return null;
    }

    private static Problem? Check(ReportRequest request)
    {
        Problem? problem = RequestCheck.Header(request.Header) ?? RequestCheck.Endpoints("endpoints", request.Endpoints, out var endpoints)
            ?? RequestCheck.Host(request.Host) ?? RequestCheck.Fork(request.Fork);
        if (problem is not null) return problem;
        RequestCheck.Endpoints("endpoints", request.Endpoints, out endpoints);
        Assert.Equal(request.Endpoints.Count, endpoints.Length);
        Assert.InRange(endpoints.Length, 0, ControlLimits.EndpointsPerNode);
        return null;
    }

    private static RequestHeader Header() => new() { ProtocolVersion = Protocol.ProtocolVersion.Current, Network = "default", Capabilities = { Capability.PacketFilter } };

    private static HostFacts Host() => new() { Os = "linux", OsVersion = "6.18", Architecture = "x64", MeshVersion = "0.1.0" };

    private static RegisterRequest Register() => new()
    {
        Header = Header(),
        NodeKey = new NodeKeyProof { NodeKey = Bytes(32), ChallengeId = Bytes(16), Proof = Bytes(32) },
        PreAuthKey = "mkey_123456",
        Hostname = "laptop.example",
        Host = Host(),
    };

    private static ReportRequest Report() => new()
    {
        Header = Header(),
        BootId = Bytes(16),
        Endpoints =
        {
            new Endpoint { Address = ByteString.CopyFrom(192, 0, 2, 1), Port = 51820, Source = EndpointSource.Local },
            new Endpoint { Address = ByteString.CopyFrom([0x20, 1, .. new byte[14]]), Port = 1, Source = EndpointSource.Static },
        },
        ListenPort = 51820,
        Host = Host(),
        Fork = new ForkEvidence { Remembered = Head(), Received = Head() },
    };

    private static LogHead Head() => new() { Position = 5, Hash = Bytes(32), Signature = Bytes(64), LogKeyCertificate = Bytes(200) };

    private static ByteString Bytes(int length) => ByteString.CopyFrom(Enumerable.Range(1, length).Select(i => (byte)i).ToArray());
}
