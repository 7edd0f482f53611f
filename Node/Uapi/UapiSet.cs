using System.Globalization;
using System.Security.Cryptography;
using Mesh.Crypto;
using Mesh.Node.Device;
using Mesh.Node.Kernel;
using Mesh.Node.Udp;

namespace Mesh.Node.Uapi;

/// <summary>
/// Carries out one "set", line by line: first the device's keys, then a block for each peer, begun by its public_key. As with
/// the other implementations, a line that fails ends the request and those before it stay done.
/// </summary>
internal sealed class UapiSet(WireGuardDevice device, IUapiHost host)
{
    private bool _inPeer;

    /// <summary>The peer of the present block; null when its lines are to have no effect (removed, our own key).</summary>
    private Peer? _peer;
    private bool _created;

    /// <exception cref="UapiException">The line is not understood, or can't be done.</exception>
    public void Apply(ReadOnlySpan<char> line)
    {
        int equals = line.IndexOf('=');
        if (equals < 0) throw new UapiException(Errno.EPROTO, "a line without '='");
        ReadOnlySpan<char> key = line[..equals], value = line[(equals + 1)..];
        try
        {
            if (key is "public_key") BeginPeer(value);
            else if (_inPeer) ApplyToPeer(key, value);
            else ApplyToDevice(key, value);
        }
        catch (KernelException e)
        {
            throw new UapiException(e.Errno, e.Message);
        }
    }

    private void ApplyToDevice(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        switch (key)
        {
            case "private_key":
                Span<byte> bytes = stackalloc byte[SecretKey.Length];
                ParseKey(value, bytes);
                device.SetKeys(bytes.IndexOfAnyExcept((byte)0) < 0 ? null : new X25519PrivateKey(bytes));
                CryptographicOperations.ZeroMemory(bytes);
                break;
            case "listen_port":
                host.SetListenPort((int)ParseNumber(value, ushort.MaxValue));
                break;
            case "fwmark":
                host.SetFwmark(ParseNumber(value, uint.MaxValue));
                break;
            case "replace_peers":
                ParseTrue(value);
                foreach (Peer peer in device.Peers) device.RemovePeer(peer);
                break;
            default:
                throw Invalid("an unknown key of the device");
        }
    }

    private void BeginPeer(ReadOnlySpan<char> value)
    {
        _inPeer = true;
        Span<byte> bytes = stackalloc byte[X25519PublicKey.Length];
        ParseKey(value, bytes);
        var key = new X25519PublicKey(bytes);
        _peer = device.FindPeer(key);
        _created = _peer is null;
        if (_created) _peer = device.AddPeer(key);
    }

    private void ApplyToPeer(ReadOnlySpan<char> key, ReadOnlySpan<char> value)
    {
        switch (key)
        {
            case "update_only":
                ParseTrue(value);
                if (_created) RemovePeer();
                break;
            case "remove":
                ParseTrue(value);
                RemovePeer();
                break;
            case "preshared_key":
                Span<byte> bytes = stackalloc byte[SecretKey.Length];
                ParseKey(value, bytes);
                if (_peer is not null) device.SetPresharedKey(_peer, bytes.IndexOfAnyExcept((byte)0) < 0 ? null : new PresharedKey(bytes));
                CryptographicOperations.ZeroMemory(bytes);
                break;
            case "endpoint":
                if (!UdpEndpoint.TryParse(value, out UdpEndpoint endpoint)) throw Invalid("not an endpoint");
                if (_peer is not null) device.SetEndpoint(_peer, endpoint);
                break;
            case "persistent_keepalive_interval":
                var interval = TimeSpan.FromSeconds(ParseNumber(value, ushort.MaxValue));
                if (_peer is not null) device.SetPersistentKeepalive(_peer, interval);
                break;
            case "replace_allowed_ips":
                ParseTrue(value);
                if (_peer is not null) device.AllowedIps.RemoveAll(_peer);
                break;
            case "allowed_ip":
                bool remove = value.StartsWith("-");
                if (!IpPrefix.TryParse(value[(remove ? 1 : 0)..].ToString(), out IpPrefix prefix)) throw Invalid("not a prefix");
                if (_peer is null) break;
                if (remove) device.AllowedIps.Remove(prefix, _peer);
                else device.AllowedIps.Set(prefix, _peer);
                break;
            case "protocol_version":
                if (value is not "1") throw Invalid("an unknown protocol version");
                break;
            default:
                throw Invalid("an unknown key of a peer");
        }
    }

    private void RemovePeer()
    {
        if (_peer is not null) device.RemovePeer(_peer);
        _peer = null;
    }

    private static void ParseKey(ReadOnlySpan<char> hex, Span<byte> key)
    {
        if (hex.Length != 2 * key.Length || Convert.FromHexString(hex, key, out _, out int written) != System.Buffers.OperationStatus.Done
            || written != key.Length)
            throw Invalid("not a key of 64 hexadecimal digits");
    }

    private static uint ParseNumber(ReadOnlySpan<char> digits, uint max) =>
        uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number <= max
            ? number
            : throw Invalid("not a number in range");

    private static void ParseTrue(ReadOnlySpan<char> value)
    {
        if (value is not "true") throw Invalid("this key takes the value true alone");
    }

    private static UapiException Invalid(string message) => new(Errno.EINVAL, message);
}
