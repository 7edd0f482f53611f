namespace Mesh.Node.Device;

/// <summary>
/// A queue of the interface with one of the underlay, and the two paths between. What a peer sends comes in on one of them, as it comes
/// from one address.
/// </summary>
internal sealed record DeviceQueue(OutboundPath Outbound, InboundPath Inbound) : IDisposable
{
    /// <summary>The most that an operator may ask for.</summary>
    public const int MostQueues = 16;

    /// <summary>Half the cores, as a queue has two threads; and no more than four unless they are asked for.</summary>
    public static int DefaultCount => Math.Clamp(Environment.ProcessorCount / 2, 1, 4);

    public void Dispose()
    {
        Outbound.Dispose();
        Inbound.Dispose();
    }
}
