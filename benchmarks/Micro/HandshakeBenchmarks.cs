using BenchmarkDotNet.Attributes;
using Mesh.Crypto;
using Mesh.Crypto.Noise;

namespace Mesh.Micro;

/// <summary>
/// A whole handshake, both sides on one thread: fresh ephemeral keys, both messages with mac1 made and checked, transport keys.
/// The static keys' agreement is kept for the pair, as the engine keeps it. One X25519 agreement is the yardstick.
/// </summary>
[MemoryDiagnoser]
public class HandshakeBenchmarks
{
    private readonly X25519PrivateKey _initiator = X25519PrivateKey.Generate();
    private readonly X25519PrivateKey _responder = X25519PrivateKey.Generate();
    private readonly byte[] _shared = new byte[SecretKey.Length];
    private readonly byte[] _staticStatic = new byte[SecretKey.Length];
    private readonly byte[] _presharedKey = new byte[SecretKey.Length];
    private readonly byte[] _stamp = new byte[Tai64N.Length];
    private readonly byte[] _first = new byte[Tai64N.Length + NoiseIk.FirstMessageOverhead];
    private readonly byte[] _second = new byte[NoiseIk.SecondMessageOverhead];
    private readonly byte[] _mac = new byte[Blake2s.MacLength];
    private readonly byte[] _sendKey = new byte[SecretKey.Length];
    private readonly byte[] _receiveKey = new byte[SecretKey.Length];
    private readonly Mac1Key _towardsInitiator;
    private readonly Mac1Key _towardsResponder;

    public HandshakeBenchmarks()
    {
        _towardsInitiator = new Mac1Key(_initiator.PublicKey);
        _towardsResponder = new Mac1Key(_responder.PublicKey);
        Require(_initiator.TryAgree(_responder.PublicKey, _staticStatic));
    }

    [Benchmark(Baseline = true, Description = "X25519 agreement")]
    public bool Agree() => _initiator.TryAgree(_responder.PublicKey, _shared);

    [Benchmark(Description = "X25519 key pair")]
    public void Generate() => X25519PrivateKey.Generate().Dispose();

    [Benchmark(Description = "handshake, both sides")]
    public void Handshake()
    {
        using var initiator = NoiseIk.Initiator(NoiseProtocol.WireGuard, _responder.PublicKey);
        Require(initiator.TryWriteFirst(X25519PrivateKey.Generate(), _initiator, _responder.PublicKey, _staticStatic, _stamp, _first));
        _towardsResponder.Compute(_first, _mac);

        Require(_towardsResponder.Verify(_first, _mac));
        using var responder = NoiseIk.Responder(NoiseProtocol.WireGuard, _responder);
        Require(responder.TryReadFirstStatic(_responder, _first));
        Require(responder.TryReadFirstPayload(_staticStatic, _first, _stamp));
        Require(responder.TryWriteSecond(X25519PrivateKey.Generate(), _presharedKey, default, _second));
        _towardsInitiator.Compute(_second, _mac);
        responder.Split(_receiveKey, _sendKey);

        Require(_towardsInitiator.Verify(_second, _mac));
        Require(initiator.TryReadSecond(_initiator, _presharedKey, _second, default));
        initiator.Split(_sendKey, _receiveKey);
    }

    private static void Require(bool ok)
    {
        if (!ok) throw new InvalidOperationException("the handshake failed");
    }
}
