using Google.Protobuf;
using Mesh.Node.Control;
using Mesh.Protocol.Control;

namespace Mesh.Node.State;

/// <summary>
/// The last map on disk: what a daemon brings the tunnel up with while the coordinator is away. It also remembers the head
/// of the log, so that a fork is seen over restarts.
/// </summary>
internal static class MapFile
{
    private const int MaxBytes = 4 * ControlLimits.MapFrameBytes;

    /// <summary>Null when there is none, or when it is damaged: the coordinator will send another, and <paramref name="damage"/> says why.</summary>
    public static NetworkMap? Load(StateDirectory state, out string? damage)
    {
        damage = null;
        try
        {
            byte[]? stored = AtomicFile.Read(state.MapPath, MaxBytes);
            if (stored is null) return null;
            var fault = NetworkMap.Create(Snapshot.Parser.ParseFrom(stored), out var map);
            if (!fault.IsNone) damage = fault.ToString();
            return map;
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvalidDataException)
        {
            damage = e.Message;
            return null;
        }
    }

    public static void Save(StateDirectory state, NetworkMap map) => AtomicFile.Write(state.MapPath, map.ToSnapshot().ToByteArray());

    public static void Remove(StateDirectory state) => AtomicFile.Delete(state.MapPath);
}
