namespace Mesh.Node.Control;

/// <summary>One open long poll.</summary>
internal sealed class MapPoll(HttpResponseMessage answer, FrameReader frames) : IDisposable
{
    public ValueTask<FrameRead> ReadAsync(CancellationToken cancel) => frames.ReadAsync(cancel);

    public void Dispose() => answer.Dispose();
}
