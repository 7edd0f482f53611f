using Google.Protobuf;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Map;

/// <summary>Encodes a view, or the difference of two, as a frame of a poll.</summary>
internal sealed class MapFrames(FrameWriter writer, EntryCache entries, Hosting.CoordinatorMetrics metrics)
{
    // Tags: field number and wire type 2, as node_api.proto numbers them.
    private const byte SnapshotTag = MapFrame.SnapshotFieldNumber << 3 | 2;
    private const byte DeltaTag = MapFrame.DeltaFieldNumber << 3 | 2;
    private const byte SnapshotPeersTag = Snapshot.PeersFieldNumber << 3 | 2;
    private const byte SnapshotFilterTag = Snapshot.FilterFieldNumber << 3 | 2;
    private const byte DeltaFilterTag = Delta.FilterFieldNumber << 3 | 2;
    private const byte DeltaUpsertsTag = Delta.UpsertsFieldNumber << 3 | 2;
    private const byte DeltaPresencesTag = Delta.PresencesFieldNumber << 3 | 2;

    /// <param name="snapshot">Without its filter and peers.</param>
    public ValueTask<FrameOutcome> WriteSnapshotAsync(Snapshot snapshot, MapView view, PresenceView presence) =>
        WriteAsync("snapshot", SnapshotTag, snapshot, () =>
            view.Peers().Select(node => new FrameItem(SnapshotPeersTag, Entry(node, presence))).Prepend(Filter(SnapshotFilterTag, view)));

    /// <param name="delta">Without its filter, upserts and presences.</param>
    public ValueTask<FrameOutcome> WriteDeltaAsync(Delta delta, MapDifference difference, MapView view, PresenceView presence)
    {
        FrameItem[] filter = difference.FilterChanged ? [Filter(DeltaFilterTag, view)] : [];
        // Looked up once: a change of policy can make everybody everybody's peer.
        byte[][] upserts = [.. difference.Upserts.Select(node => Entry(node, presence))];
        byte[][] presences = [.. difference.Presences.Select(id => entries.Of(id, presence.Find(id)))];
        return WriteAsync("delta", DeltaTag, delta, Items);

        IEnumerable<FrameItem> Items()
        {
            foreach (var item in filter) yield return item;
            foreach (byte[] upsert in upserts) yield return new FrameItem(DeltaUpsertsTag, upsert);
            foreach (byte[] presence in presences) yield return new FrameItem(DeltaPresencesTag, presence);
        }
    }

    public async ValueTask<FrameOutcome> WriteAsync(MapFrame frame)
    {
        metrics.Frame(frame.FrameCase.ToString(), frame.CalculateSize());
        return await writer.WriteAsync(frame) ? FrameOutcome.Written : FrameOutcome.ReaderGone;
    }

    private async ValueTask<FrameOutcome> WriteAsync(string kind, byte tag, IMessage message, Func<IEnumerable<FrameItem>> items)
    {
        byte[] head = message.ToByteArray();
        long bytes = FrameWriter.ContentBytes(head, items());
        // Six bytes at most go before the content.
        if (bytes > ControlLimits.MapFrameBytes - 6) return FrameOutcome.TooLarge;
        metrics.Frame(kind, bytes);
        return await writer.WriteAsync(tag, head, items, (int)bytes) ? FrameOutcome.Written : FrameOutcome.ReaderGone;
    }

    private FrameItem Filter(byte tag, MapView view) => new(tag, entries.Of(view.Ingress));

    private byte[] Entry(Node node, PresenceView presence) => entries.Of(node, presence.Find(node.Id));
}

internal enum FrameOutcome
{
    Written,
    ReaderGone,

    /// <summary>Over <see cref="ControlLimits.MapFrameBytes"/>; nothing was written.</summary>
    TooLarge,
}
