namespace Mesh.Node.Device;

/// <summary>
/// A peer's sessions in their three places (paper section 6.3). The packet paths, all at once, read the places without a
/// lock; changing them takes the peer's.
/// <code>
///   event                     previous        current      next
///   made as initiator         next ?? current made         -        (both ends have the keys: send at once)
///   made as responder         -               (stays)      made     (the initiator may not have them yet)
///   received on next          current         next         -
///   removed, keys zeroed      -               -            -
/// </code>
/// </summary>
internal sealed class PeerKeypairs(IndexTable indices, Quiescence quiescence)
{
    private readonly Lock _gate = new();
    private Keypair? _previous;
    private Keypair? _current;
    private Keypair? _next;

    /// <summary>The session to send on.</summary>
    public Keypair? Current => Volatile.Read(ref _current);

    public bool IsNext(Keypair keypair) => Volatile.Read(ref _next) == keypair;

    public void Add(Keypair made)
    {
        lock (_gate)
        {
            if (made.IsInitiator) Place(_next ?? _current, made, null);
            else Place(null, _current, made);
        }
    }

    /// <summary>The first authentic packet came in on the session: the initiator has the keys, so it is used for sending.</summary>
    /// <returns>False when it is not, or no longer, the next one.</returns>
    public bool TryPromote(Keypair keypair)
    {
        lock (_gate)
        {
            if (_next != keypair) return false;
            Place(_current, keypair, null);
            return true;
        }
    }

    /// <summary>All sessions stop sending, while they still receive.</summary>
    public void ExpireSending()
    {
        lock (_gate)
        {
            _current?.ExpireSending();
            _next?.ExpireSending();
        }
    }

    public void Clear()
    {
        lock (_gate) Place(null, null, null);
    }

    /// <summary>Fills the places and retires who lost theirs, in this order: a path must not find a retired keypair.</summary>
    private void Place(Keypair? previous, Keypair? current, Keypair? next)
    {
        ReadOnlySpan<Keypair?> before = [_previous, _current, _next];
        Volatile.Write(ref _previous, previous);
        Volatile.Write(ref _current, current);
        Volatile.Write(ref _next, next);
        foreach (Keypair? keypair in before)
        {
            if (keypair is null || keypair == previous || keypair == current || keypair == next) continue;
            indices.Remove(keypair);
            quiescence.Retire(keypair);
        }
    }
}
