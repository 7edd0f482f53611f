using System.Buffers;

namespace Mesh.Node.Device;

/// <summary>
/// Packets of one peer that wait for a handshake: at most <see cref="Timing.StagedPackets"/>, where the oldest makes room
/// for the newest, as the newest is the likelier to be of use. All peers' together hold at most
/// <see cref="Timing.StagedBytes"/>. Every outbound path adds, the control thread takes.
/// </summary>
internal sealed class StagedPackets(StagedPackets.Budget budget, DropCounters drops)
{
    private readonly Lock _gate = new();
    private readonly Queue<(byte[] Buffer, int Length)> _packets = new();
    private int _count;

    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    public void Add(ReadOnlySpan<byte> packet)
    {
        if (!budget.TryTake(packet.Length))
        {
            drops.Add(DropReason.StagingFull);
            return;
        }
        byte[] buffer = ArrayPool<byte>.Shared.Rent(packet.Length);
        packet.CopyTo(buffer);
        lock (_gate)
        {
            if (_packets.Count == Timing.StagedPackets)
            {
                Release(_packets.Dequeue());
                drops.Add(DropReason.StagingFull);
            }
            _packets.Enqueue((buffer, packet.Length));
            _count = _packets.Count;
        }
    }

    /// <summary>Takes the oldest packet; its bytes go to <paramref name="destination"/>.</summary>
    /// <returns>Its length, or 0 when none waits.</returns>
    public int Take(Span<byte> destination)
    {
        lock (_gate)
        {
            if (!_packets.TryDequeue(out var packet)) return 0;
            _count = _packets.Count;
            int length = packet.Length;
            packet.Buffer.AsSpan(0, length).CopyTo(destination);
            Release(packet);
            return length;
        }
    }

    public void Clear(DropReason reason)
    {
        lock (_gate)
        {
            if (_packets.Count > 0) drops.Add(reason, _packets.Count);
            while (_packets.TryDequeue(out var packet)) Release(packet);
            _count = 0;
        }
    }

    private void Release((byte[] Buffer, int Length) packet)
    {
        budget.Give(packet.Length);
        ArrayPool<byte>.Shared.Return(packet.Buffer, clearArray: true);
    }

    /// <summary>Bytes that all peers of a device may stage together.</summary>
    internal sealed class Budget(int bytes)
    {
        private int _left = bytes;

        public int Left => Volatile.Read(ref _left);

        public bool TryTake(int bytes)
        {
            if (Interlocked.Add(ref _left, -bytes) >= 0) return true;
            Interlocked.Add(ref _left, bytes);
            return false;
        }

        public void Give(int bytes) => Interlocked.Add(ref _left, bytes);
    }
}
