using Mesh.Crypto;

namespace Mesh.Node.State;

/// <summary>
/// This node's WireGuard keys while one replaces another. Thread-safe; owns the keys.
/// <code>
///   step        current   next     previous    on disk                     handshakes go out under / are answered under
///   at rest     A         -        -           node.key A                  A / A
///   Prepare     A         B        -           node.key A, node.key.next B A / A, B
///   Promote     B         -        A           node.key B                  B / B, A
///   Finish      B         -        -           node.key B                  B / B
///   Withdraw    A         -        -           node.key A                  (from Prepare: the coordinator did not take B)
/// </code>
/// A crash leaves one of the lines with their files; only the previous key is lost by it, which peers have stopped to use.
/// </summary>
internal sealed class NodeKeys : IDisposable
{
    private readonly Lock _gate = new();
    private readonly StateDirectory? _state;
    private X25519PrivateKey _current;
    private X25519PrivateKey? _next;
    private X25519PrivateKey? _previous;

    /// <summary>A key that is kept nowhere.</summary>
    public NodeKeys(X25519PrivateKey key) => _current = key;

    /// <exception cref="Cli.UserException">A file is damaged.</exception>
    public NodeKeys(StateDirectory state)
    {
        _state = state;
        _current = NodeKeyFile.LoadOrCreate(state);
        try
        {
            _next = NodeKeyFile.LoadNext(state);
        }
        catch
        {
            _current.Dispose();
            throw;
        }
    }

    /// <summary>Good until <see cref="Finish"/> of the rotation after the next, or <see cref="Renew"/>.</summary>
    public X25519PrivateKey Current
    {
        get { lock (_gate) return _current; }
    }

    /// <summary>The key that is to follow.</summary>
    public X25519PrivateKey? Next
    {
        get { lock (_gate) return _next; }
    }

    /// <summary>The key beside the current one under which handshakes are answered.</summary>
    public X25519PrivateKey? Other
    {
        get { lock (_gate) return _next ?? _previous; }
    }

    /// <summary>Whether a change of keys has begun and not ended.</summary>
    public bool IsChanging => Other is not null;

    /// <summary>Whether the coordinator may say that this is the node's key.</summary>
    public bool AreOurs(ReadOnlySpan<byte> key)
    {
        lock (_gate) return key.SequenceEqual(_current.PublicKey.AsSpan()) || (_next is not null && key.SequenceEqual(_next.PublicKey.AsSpan()));
    }

    /// <summary>Makes the key that is to follow, and has it on disk before anybody can hear of it.</summary>
    public X25519PrivateKey Prepare()
    {
        lock (_gate)
        {
            if (_next is not null) return _next;
            var made = X25519PrivateKey.Generate();
            if (_state is not null) NodeKeyFile.SaveNext(_state, made);
            return _next = made;
        }
    }

    public void Promote()
    {
        lock (_gate)
        {
            if (_next is null) return;
            if (_state is not null) NodeKeyFile.Promote(_state);
            _previous?.Dispose();
            (_previous, _current, _next) = (_current, _next, null);
        }
    }

    public void Finish()
    {
        lock (_gate)
        {
            _previous?.Dispose();
            _previous = null;
        }
    }

    public void Withdraw()
    {
        lock (_gate)
        {
            if (_next is null) return;
            if (_state is not null) NodeKeyFile.RemoveNext(_state);
            _next.Dispose();
            _next = null;
        }
    }

    /// <summary>Forgets all of it, and begins with another key.</summary>
    public void Renew()
    {
        lock (_gate)
        {
            if (_state is null) throw new InvalidOperationException("keys that are kept nowhere are not renewed");
            NodeKeyFile.Remove(_state);
            Clear();
            _current = NodeKeyFile.LoadOrCreate(_state);
        }
    }

    public void Dispose()
    {
        lock (_gate) Clear();
    }

    private void Clear()
    {
        _current.Dispose();
        _next?.Dispose();
        _previous?.Dispose();
        (_next, _previous) = (null, null);
    }
}
