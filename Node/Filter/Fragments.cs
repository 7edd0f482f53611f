namespace Mesh.Node.Filter;

/// <summary>
/// Datagrams in one direction whose first fragment was let through: their later fragments follow it, if they come after it and
/// write nothing over the headers that were judged (RFC 1858, 3128, 5722). Keyed by the peer's rights, so that a fragment that
/// comes after these changed follows nobody. All paths of the direction use it: taking note of a first fragment takes a lock, looking
/// for it takes none.
/// </summary>
internal sealed class Fragments
{
    /// <summary>Datagrams under way. Beyond it the oldest of a set is given up, as if its rest had been lost.</summary>
    public const int Capacity = 1024;

    private readonly BoundedTable _datagrams = new(Capacity);
    private readonly Lock _firsts = new();

    public void NoteFirst(ulong rights, in PacketHeaders headers, bool allowed, long now)
    {
        var key = FlowKey.Fragment(rights, headers);
        lock (_firsts)
        {
            if (!allowed)
            {
                // A datagram with a second first fragment that is refused is somebody's attempt; nothing more of it.
                _datagrams.Remove(key);
                return;
            }
            int judged = headers.JudgedLength;
            if (_datagrams.TryFind(key, now, out int before, out _, out _)) judged = Math.Max(judged, before);
            _datagrams.Put(key, judged, now + FlowTimes.Fragment, now);
        }
    }

    public bool MayFollow(ulong rights, in PacketHeaders headers, long now) =>
        _datagrams.TryFind(FlowKey.Fragment(rights, headers), now, out int judged, out _, out _) && headers.FragmentOffset >= judged;
}
