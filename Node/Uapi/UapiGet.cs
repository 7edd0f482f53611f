using System.Security.Cryptography;
using Mesh.Crypto;
using Mesh.Node.Device;

namespace Mesh.Node.Uapi;

/// <summary>
/// Answers "get": the device's state as key=value lines, in the order of the cross-platform configuration protocol
/// (wireguard.com/xplatform).
/// </summary>
internal static class UapiGet
{
    public static void Write(WireGuardDevice device, IUapiHost host, TextWriter output)
    {
        Span<byte> secret = stackalloc byte[SecretKey.Length];
        if (device.TryCopyPrivateKey(secret)) WriteHex(output, "private_key", secret);
        if (host.ListenPort != 0) WriteLine(output, "listen_port", host.ListenPort);
        if (host.Fwmark != 0) WriteLine(output, "fwmark", host.Fwmark);
        foreach (Peer peer in device.Peers)
        {
            WriteHex(output, "public_key", peer.PublicKeys[0].AsSpan());
            device.CopyPresharedKey(peer, secret);
            WriteHex(output, "preshared_key", secret);
            WriteLine(output, "protocol_version", 1);
            if (peer.Endpoint is { } endpoint) output.Write($"endpoint={endpoint}\n");
            long ticks = peer.LastHandshake is { } time ? time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks : 0;
            WriteLine(output, "last_handshake_time_sec", ticks / TimeSpan.TicksPerSecond);
            WriteLine(output, "last_handshake_time_nsec", ticks % TimeSpan.TicksPerSecond * 100);
            WriteLine(output, "tx_bytes", peer.TxBytes);
            WriteLine(output, "rx_bytes", peer.RxBytes);
            WriteLine(output, "persistent_keepalive_interval", (long)peer.PersistentKeepalive.TotalSeconds);
            foreach (IpPrefix prefix in device.AllowedIps.Of(peer)) output.Write($"allowed_ip={prefix}\n");
        }
        CryptographicOperations.ZeroMemory(secret);
    }

    private static void WriteLine(TextWriter output, string key, long value) => output.Write($"{key}={value}\n");

    private static void WriteHex(TextWriter output, string key, ReadOnlySpan<byte> bytes)
    {
        Span<char> hex = stackalloc char[2 * SecretKey.Length];
        Convert.TryToHexStringLower(bytes, hex, out int written);
        output.Write(key);
        output.Write('=');
        output.Write(hex[..written]);
        output.Write('\n');
        hex.Clear();
    }
}
