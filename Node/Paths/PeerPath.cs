using Mesh.Node.Udp;

namespace Mesh.Node.Paths;

/// <summary>
/// The way to one peer: which of its candidates is tried, and what follows from what happens. Pure; the caller acts on
/// the endpoint that a method returns (null: leave it as it is).
/// <code>
///   state    event                                        next     does
///   any      candidates, none in use or in use withdrawn  Trying   the first candidate
///   Trying   handshake unanswered                         Trying   the next candidate, round and round
///   any      session made                                 Settled  -  (the engine roams by authentic packets)
///   Settled  handshake unanswered                         Trying   the first candidate other than the one in use
///   any      the peer asks to be reached                  Trying   the first endpoint it names, unless Settled
/// </code>
/// </summary>
internal sealed class PeerPath
{
    private IReadOnlyList<UdpEndpoint> _candidates = [];
    private int _next;

    public bool IsSettled { get; private set; }

    /// <summary>Endpoints tried without an answer since the last session; for the reason that a user is told.</summary>
    public int Unanswered { get; private set; }

    public IReadOnlyList<UdpEndpoint> Candidates => _candidates;

    /// <param name="inUse">The endpoint that the engine sends to now.</param>
    public UdpEndpoint? SetCandidates(IReadOnlyList<UdpEndpoint> candidates, UdpEndpoint? inUse)
    {
        if (_candidates.SequenceEqual(candidates)) return null;
        bool withdrawn = inUse is { } used && _candidates.Contains(used) && !candidates.Contains(used);
        _candidates = candidates;
        _next = 0;
        // A working endpoint that was never a candidate (a NAT's mapping) says nothing against itself.
        if (inUse is not null && !withdrawn && (IsSettled || candidates.Contains(inUse.Value))) return null;
        IsSettled = false;
        return TakeNext(exceptFor: withdrawn ? inUse : null);
    }

    public void SessionMade()
    {
        IsSettled = true;
        Unanswered = 0;
        _next = 0;
    }

    public UdpEndpoint? HandshakeUnanswered(UdpEndpoint? inUse)
    {
        IsSettled = false;
        Unanswered++;
        return TakeNext(exceptFor: inUse);
    }

    public UdpEndpoint? ReachAsked(IReadOnlyList<UdpEndpoint> endpoints)
    {
        if (IsSettled || endpoints.Count == 0) return null;
        _candidates = [.. endpoints, .. _candidates.Where(candidate => !endpoints.Contains(candidate))];
        _next = 0;
        return TakeNext(exceptFor: null);
    }

    private UdpEndpoint? TakeNext(UdpEndpoint? exceptFor)
    {
        for (int tried = 0; tried < _candidates.Count; tried++)
        {
            var candidate = _candidates[_next];
            _next = (_next + 1) % _candidates.Count;
            if (exceptFor is null || candidate != exceptFor.Value) return candidate;
        }
        return null;
    }
}
