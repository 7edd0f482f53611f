namespace Mesh.Node.Udp;

/// <summary>Datagrams that stand behind each other in a <see cref="UdpSendBatch"/> and can leave as one, by segmentation offload.</summary>
internal struct UdpSendRun
{
    public UdpEndpoint Endpoint;

    /// <summary>Where the first begins.</summary>
    public int Start;

    /// <summary>Of all of them.</summary>
    public int Bytes;

    /// <summary>The length of all but the last, which may be shorter.</summary>
    public int SegmentSize;
    public int Count;

    /// <summary>The ECN mark of the outer headers.</summary>
    public byte Ecn;
    public UdpSendResult Result;

    /// <summary>Whether one more of that length can be added.</summary>
    public readonly bool Takes(int length, int ecn, int maxSegments) =>
        Count < maxSegments && length <= SegmentSize && ecn == Ecn && Bytes == Count * SegmentSize && Bytes + length <= UdpSendBatch.MaxRunBytes;

    /// <summary>The length of one of them.</summary>
    public readonly int LengthOf(int index) => Math.Min(SegmentSize, Bytes - (index * SegmentSize));
}
