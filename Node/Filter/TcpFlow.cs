namespace Mesh.Node.Filter;

/// <summary>
/// A TCP connection that this node began, as far as its own segments tell (only they move it, but for the peer's reset):
/// <code>
///                 our opening SYN   our segment   our FIN    our or the peer's RST
///   (none)        Opening           -             -          -
///   Opening       Opening           Established   Closing    Closed
///   Established   Opening           Established   Closing    Closed
///   Closing       Opening           Closing       Closing    Closed
///   Closed        Opening           Closed        Closed     Closed
/// </code>
/// </summary>
internal enum TcpFlow
{
    Opening,
    Established,
    Closing,
    Closed,
}

internal static class TcpFlows
{
    public static TcpFlow After(TcpFlow state, in PacketHeaders ours) => state switch
    {
        _ when ours.IsTcpOpening => TcpFlow.Opening,
        TcpFlow.Closed => TcpFlow.Closed,
        _ when ours.IsTcpReset => TcpFlow.Closed,
        TcpFlow.Closing => TcpFlow.Closing,
        _ when ours.IsTcpFin => TcpFlow.Closing,
        _ => TcpFlow.Established,
    };

    /// <summary>Device ticks from our last segment to the flow's end.</summary>
    public static long Lifetime(TcpFlow state) => state switch
    {
        TcpFlow.Opening => FlowTimes.TcpOpening,
        TcpFlow.Established => FlowTimes.TcpEstablished,
        TcpFlow.Closing => FlowTimes.TcpClosing,
        _ => FlowTimes.TcpClosed,
    };
}
