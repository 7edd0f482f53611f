using System.Globalization;
using System.Net;
using Mesh.Node.Device;
using Microsoft.Extensions.Logging;

namespace Mesh.Node.Filter;

/// <summary>
/// Tells the log now and then what was dropped since, a line a peer with one packet as a sample: what a flood of packets can
/// write there is bounded by time and by peers.
/// </summary>
internal sealed partial class DropLog(ILogger log)
{
    private const int MaxLines = 8;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private Dictionary<ulong, long> _told = [];
    private DateTimeOffset _last;

    /// <param name="now">Nothing happens within ten seconds of the time before.</param>
    public void Tell(FilterView view, DateTimeOffset now)
    {
        if (now >= _last && now - _last < Interval) return;
        _last = now;
        var news = new List<(PeerRights Rights, long Count)>();
        var told = new Dictionary<ulong, long>(_told.Count);
        foreach (var rights in view.Peers)
        {
            long total = rights.Drops.Total;
            if (total == 0) continue;
            told[rights.Visibility] = total;
            long count = total - _told.GetValueOrDefault(rights.Visibility);
            if (count > 0) news.Add((rights, count));
        }
        _told = told;
        foreach (var (rights, count) in news.OrderByDescending(entry => entry.Count).Take(MaxLines))
        {
            if (rights.Drops.TakeSample() is var (reason, headers)) LogDropped(count, rights.Source.Name, rights.Source.NodeId, reason, Describe(headers));
        }
        if (news.Count > MaxLines) LogMore(news.OrderByDescending(entry => entry.Count).Skip(MaxLines).Sum(entry => entry.Count), news.Count - MaxLines);
    }

    /// <summary>Addresses and ports as far as they were read; nothing of what the packet carries.</summary>
    internal static string Describe(in PacketHeaders headers)
    {
        if (headers.Source == default) return "unreadable packet";
        string protocol = headers.Protocol switch
        {
            IpProtocol.Tcp => "TCP",
            IpProtocol.Udp => "UDP",
            IpProtocol.Sctp => "SCTP",
            IpProtocol.Icmp or IpProtocol.IcmpV6 => "ICMP",
            _ => string.Create(CultureInfo.InvariantCulture, $"protocol {headers.Protocol}"),
        };
        string part = headers.Part == DatagramPart.Whole ? "" : " fragment";
        return IpProtocol.HasPorts(headers.Protocol) && headers.Part != DatagramPart.LaterFragment
            ? $"{protocol}{part} {new IPEndPoint(headers.Source.ToIPAddress(), headers.SourcePort)} to {new IPEndPoint(headers.Destination.ToIPAddress(), headers.DestinationPort)}"
            : $"{protocol}{part} {headers.Source.ToIPAddress()} to {headers.Destination.ToIPAddress()}";
    }

    [LoggerMessage(EventId = 2601, Level = LogLevel.Information, Message = "Policy dropped {Count} packets of peer {Name} ({Peer}), one of them: {Reason}, {Packet}")]
    private partial void LogDropped(long count, string name, ulong peer, DropReason reason, string packet);

    [LoggerMessage(EventId = 2602, Level = LogLevel.Information, Message = "Policy dropped {Count} packets of {Peers} more peers")]
    private partial void LogMore(long count, int peers);
}
