using Mesh.Node.Udp;
using Mesh.Protocol.WireGuard;

namespace Mesh.Node.Device;

/// <summary>
/// Handshake messages on their way from the inbound paths to the threads that answer them: a ring of fixed size, as anyone can
/// send them. When it is full a message is dropped; its sender tries again.
/// </summary>
internal sealed class HandshakeQueue
{
    private readonly Lock _gate = new();
    private readonly byte[] _messages = new byte[Timing.HandshakeQueue * InitiationLayout.Length];
    private readonly (int Length, UdpEndpoint Source)[] _slots = new (int, UdpEndpoint)[Timing.HandshakeQueue];
    private int _first;
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <summary>Told how many wait, whenever that is more than one thread has in hand. Called by the inbound paths, several at once.</summary>
    public Action<int>? Backlog { get; set; }

    /// <param name="message">At most <see cref="InitiationLayout.Length"/> bytes, the longest of the handshake messages.</param>
    public bool TryAdd(ReadOnlySpan<byte> message, in UdpEndpoint source)
    {
        int count;
        lock (_gate)
        {
            if (_count == _slots.Length) return false;
            int slot = (_first + _count) % _slots.Length;
            message.CopyTo(_messages.AsSpan(slot * InitiationLayout.Length));
            _slots[slot] = (message.Length, source);
            count = ++_count;
        }
        if (count >= Timing.HandshakeBacklog) Backlog?.Invoke(count);
        return true;
    }

    /// <param name="destination">Room for <see cref="InitiationLayout.Length"/> bytes.</param>
    /// <returns>The message's length, 0 when none waits.</returns>
    public int Take(Span<byte> destination, out UdpEndpoint source)
    {
        lock (_gate)
        {
            if (_count == 0)
            {
                source = default;
                return 0;
            }
            (int length, source) = _slots[_first];
            _messages.AsSpan(_first * InitiationLayout.Length, length).CopyTo(destination);
            _first = (_first + 1) % _slots.Length;
            _count--;
            return length;
        }
    }
}
