using Mesh.Node.Routes;

namespace Mesh.Node.Tests.Routes;

public class NetlinkReaderTests
{
    [Fact]
    public void Damaged_messages_end_the_walk_and_never_throw()
    {
        var random = new Random(7);
        byte[] whole = NetlinkMessage
            .Create(NetlinkType.NewLink, NetlinkFlags.None, new LinkHeader { Index = 3 })
            .Add(NetlinkAttributes.LinkName, "mesh0")
            .Add(NetlinkAttributes.LinkMtu, 1420)
            .Finish(1).ToArray();
        int walked = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] damaged = [.. whole.AsSpan(0, random.Next(whole.Length + 1))];
            for (int n = random.Next(4); n > 0 && damaged.Length > 0; n--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            var reader = new NetlinkReader(damaged);
            while (reader.MoveNext())
            {
                walked++;
                Link.Parse(NetlinkType.NewLink, reader.Payload);
                LinkAddress.Parse(NetlinkType.NewAddress, reader.Payload);
                RouteLookup.Parse(NetlinkType.NewRoute, reader.Payload);
            }
        }
        Assert.InRange(walked, 100, 100_000);
    }

    [Fact]
    public void What_the_builder_writes_the_reader_reads()
    {
        NetlinkMessage message = NetlinkMessage
            .Create(NetlinkType.NewLink, NetlinkFlags.None, new LinkHeader { Index = 3, Flags = LinkFlags.Up })
            .Add(NetlinkAttributes.LinkName, "mesh0")
            .Add(NetlinkAttributes.LinkMtu, 1420);
        var reader = new NetlinkReader(message.Finish(9));

        Assert.True(reader.MoveNext());
        Assert.Equal(9u, reader.Header.Sequence);
        Assert.Equal(
            new Link(3, "mesh0", 1420, IsUp: true, IsLoopback: false, HasCarrier: false, Kind: null),
            Link.Parse(reader.Header.Type, reader.Payload));
        Assert.False(reader.MoveNext());
    }
}
