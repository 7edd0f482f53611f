using System.Text.Json;
using Mesh.Crypto.Noise;

namespace Mesh.Crypto.Tests.Noise;

/// <summary>The cacophony vectors of IK and IKpsk2, from the shared test data.</summary>
public sealed class NoiseVectorTests
{
    [Theory]
    [InlineData("Noise_IK_25519_ChaChaPoly_BLAKE2s")]
    [InlineData("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")]
    public void A_handshake_and_its_transport_messages_are_byte_for_byte_as_listed(string name)
    {
        using var file = SharedVectors.Open("noise_ik_25519_chachapoly_blake2s.json");
        var vector = file.RootElement.GetProperty("vectors").EnumerateArray().Single(v => v.GetProperty("protocol_name").GetString() == name);
        byte[] psk = vector.TryGetProperty("init_psks", out var psks) ? Convert.FromHexString(psks[0].GetString()!) : [];
        var messages = vector.GetProperty("messages").EnumerateArray().Select(m => (Payload: m.Hex("payload"), Sealed: m.Hex("ciphertext"))).ToList();
        using var initiatorStatic = new X25519PrivateKey(vector.Hex("init_static"));
        using var responderStatic = new X25519PrivateKey(vector.Hex("resp_static"));
        Assert.Equal(new X25519PublicKey(vector.Hex("init_remote_static")), responderStatic.PublicKey);
        byte[] staticStatic = new byte[32], first = new byte[messages[0].Sealed.Length], second = new byte[messages[1].Sealed.Length];
        Assert.True(initiatorStatic.TryAgree(responderStatic.PublicKey, staticStatic));
        byte[] firstPayload = new byte[messages[0].Payload.Length], secondPayload = new byte[messages[1].Payload.Length];

        using var initiator = NoiseIk.Initiator(new NoiseProtocol(name, vector.Hex("init_prologue")), responderStatic.PublicKey);
        using var responder = NoiseIk.Responder(new NoiseProtocol(name, vector.Hex("resp_prologue")), responderStatic);

        Assert.True(initiator.TryWriteFirst(new X25519PrivateKey(vector.Hex("init_ephemeral")), initiatorStatic,
            responderStatic.PublicKey, staticStatic, messages[0].Payload, first));
        Assert.Equal(messages[0].Sealed, first);

        Assert.True(responder.TryReadFirstStatic(responderStatic, first));
        Assert.Equal(initiatorStatic.PublicKey, responder.RemoteStatic);
        Assert.True(responder.TryReadFirstPayload(staticStatic, first, firstPayload));
        Assert.Equal(messages[0].Payload, firstPayload);

        Assert.True(responder.TryWriteSecond(new X25519PrivateKey(vector.Hex("resp_ephemeral")), psk, messages[1].Payload, second));
        Assert.Equal(messages[1].Sealed, second);

        Assert.True(initiator.TryReadSecond(initiatorStatic, psk, second, secondPayload));
        Assert.Equal(messages[1].Payload, secondPayload);

        Assert.Equal(vector.Hex("handshake_hash"), initiator.HandshakeHash.ToArray());
        Assert.Equal(vector.Hex("handshake_hash"), responder.HandshakeHash.ToArray());

        byte[][] keys = [new byte[32], new byte[32]], responderKeys = [new byte[32], new byte[32]];
        initiator.Split(keys[0], keys[1]);
        responder.Split(responderKeys[0], responderKeys[1]);
        Assert.Equal(keys, responderKeys);
        for (int i = 2; i < messages.Count; i++)
        {
            // They take turns, the initiator first; each direction counts for itself.
            byte[] sealedText = new byte[messages[i].Sealed.Length];
            ChaCha20Poly1305.Seal(keys[i % 2], (ulong)(i - 2) / 2, messages[i].Payload, default, sealedText);
            Assert.Equal(messages[i].Sealed, sealedText);
        }
        Assert.True(messages.Count > 4);
    }
}
