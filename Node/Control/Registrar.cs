using System.Runtime.InteropServices;
using Google.Protobuf;
using Mesh.Crypto;
using Mesh.Node.State;
using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

/// <param name="NetworkId">16 bytes.</param>
/// <param name="ClockSkew">The coordinator's clock minus ours.</param>
internal sealed record Registration(ReadOnlyMemory<byte> NetworkId, RegisterResponse Answer, TimeSpan ClockSkew);

/// <summary>Challenge, proof of possession, register.</summary>
internal static class Registrar
{
    /// <param name="wait">While the machine waits for approval, the coordinator holds its answer back for some seconds.</param>
    /// <param name="preAuthKey">Empty to come back as a member, or to wait for approval.</param>
    /// <exception cref="ControlException">As any call of <see cref="ControlClient"/>.</exception>
    public static async Task<Registration> RegisterAsync(
        ControlClient client, MachineIdentity machine, X25519PrivateKey nodeKey, string preAuthKey, string hostname, TimeProvider time,
        CancellationToken cancel, bool wait = false)
    {
        var challenge = await client.ChallengeAsync(cancel).ConfigureAwait(false);
        var request = new RegisterRequest
        {
            Header = client.Header(),
            NodeKey = Prove(challenge, machine, nodeKey),
            PreAuthKey = preAuthKey,
            Hostname = hostname,
            Host = DescribeHost(),
            Wait = wait,
        };
        var answer = await client.RegisterAsync(request, cancel).ConfigureAwait(false);
        if (answer.Status is not (RegistrationStatus.Registered or RegistrationStatus.Pending)
            || (answer.Status == RegistrationStatus.Registered && !MapRules.IsMembership(answer)) || !IsCode(answer.ApprovalCode))
            throw new ControlException(ControlFailure.BadAnswer, "the coordinator's answer to the registration makes no sense");
        var skew = TimeSpan.FromMilliseconds(challenge.ServerTimeMs - time.GetUtcNow().ToUnixTimeMilliseconds());
        return new Registration(challenge.NetworkId.Memory, answer, skew);
    }

    public static HostFacts DescribeHost() => new()
    {
        Os = "linux",
        OsVersion = Printable(Environment.OSVersion.Version.ToString()),
        Architecture = RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant(),
        MeshVersion = Printable(typeof(Registrar).Assembly.GetName().Version?.ToString(3) ?? ""),
    };

    /// <summary>Proves to the coordinator that this node holds a key.</summary>
    public static NodeKeyProof Prove(ChallengeResponse challenge, MachineIdentity machine, X25519PrivateKey nodeKey)
    {
        if (challenge.ChallengeId.Length != ControlLimits.ChallengeIdBytes || challenge.ChallengeKey.Length != ControlLimits.KeyBytes
            || challenge.Nonce.Length != ControlLimits.NonceBytes || challenge.NetworkId.Length != ControlLimits.NetworkIdBytes)
            throw new ControlException(ControlFailure.BadAnswer, "the coordinator's challenge has fields of the wrong length");
        Span<byte> proof = stackalloc byte[ControlLimits.ProofBytes];
        var publicKey = nodeKey.PublicKey;
        if (!NodeKeyProofMac.TryCompute(nodeKey, new X25519PublicKey(challenge.ChallengeKey.Span), challenge.Nonce.Span,
                machine.Spki.Span, publicKey, challenge.NetworkId.Span, proof))
            throw new ControlException(ControlFailure.BadAnswer, "the coordinator's challenge key is of low order");
        return new NodeKeyProof
        {
            NodeKey = ByteString.CopyFrom(publicKey.AsSpan()),
            ChallengeId = challenge.ChallengeId,
            Proof = ByteString.CopyFrom(proof),
        };
    }

    // It ends on a terminal.
    private static bool IsCode(string code) => code.Length <= 32 && code.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

    private static string Printable(string text) =>
        string.Concat(text.Where(c => c is >= ' ' and <= '~').Take(ControlLimits.HostFactChars));
}
