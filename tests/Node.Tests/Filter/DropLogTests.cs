using System.Net;
using Mesh.Node.Filter;
using Microsoft.Extensions.Logging;
using static Mesh.Node.Tests.Filter.FilterMaps;
using static Mesh.Node.Tests.Filter.PacketWriter;

namespace Mesh.Node.Tests.Filter;

public sealed class DropLogTests
{
    [Fact]
    public void Drops_are_told_a_line_a_peer_and_at_most_every_ten_seconds()
    {
        var time = new ManualTime();
        var lines = new Lines();
        var log = new DropLog(lines);
        using var probe = new PacketProbe(Map(), time);
        for (int i = 0; i < 1000; i++) probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Syn));
        probe.Receive(2, UdpPacket(V4(2), Us, 4000, 53));
        log.Tell(probe.Filter.View, time.GetUtcNow());
        Assert.Equal(
            ["Policy dropped 1000 packets of peer peer-1 (1), one of them: PolicyDenied, TCP 100.64.1.1:4000 to 100.64.1.250:22",
             "Policy dropped 1 packets of peer peer-2 (2), one of them: PolicyDenied, UDP 100.64.1.2:4000 to 100.64.1.250:53"], lines);
        probe.Receive(1, TcpPacket(V4(1), Us, 4000, 22, Syn));
        log.Tell(probe.Filter.View, time.GetUtcNow());
        Assert.Equal(2, lines.Count);
        time.Advance(TimeSpan.FromSeconds(10));
        log.Tell(probe.Filter.View, time.GetUtcNow());
        Assert.Equal("Policy dropped 1 packets of peer peer-1 (1), one of them: PolicyDenied, TCP 100.64.1.1:4000 to 100.64.1.250:22", lines[2]);
        time.Advance(TimeSpan.FromSeconds(10));
        log.Tell(probe.Filter.View, time.GetUtcNow());
        Assert.Equal(3, lines.Count);
    }

    [Fact]
    public void Many_peers_make_few_lines()
    {
        var time = new ManualTime();
        var lines = new Lines();
        using var probe = new PacketProbe(Map(NewSnapshot(Enumerable.Range(10, 20).Select(n => NewPeer((byte)n)), [])), time);
        for (byte n = 10; n < 30; n++) probe.Receive(n, Fragment(UdpPacket(V6(n), Us6, 1, 2, 40), 1, 8, 16, more: true));
        new DropLog(lines).Tell(probe.Filter.View, time.GetUtcNow());
        Assert.Equal(9, lines.Count);
        Assert.Contains("PolicyFragment, protocol 44 fragment fd7a::", lines[0], StringComparison.Ordinal);
        Assert.Equal("Policy dropped 12 packets of 12 more peers", lines[8]);
    }

    private sealed class Lines : List<string>, ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Add(formatter(state, exception));
    }
}
