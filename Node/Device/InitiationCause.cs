namespace Mesh.Node.Device;

/// <summary>Why an initiation is sent.</summary>
internal enum InitiationCause
{
    /// <summary>A session is wanted. Begins the 90 s of attempts; nothing is sent while they run.</summary>
    Wish,

    /// <summary>The initiation before was not answered in time.</summary>
    Retry,

    /// <summary>The peer may be somewhere else than where the initiation before went.</summary>
    NewEndpoint,

    /// <summary>The initiation before was under, or to, a key that is gone.</summary>
    NewKey,
}
