namespace Mesh.Protocol;

/// <summary>
/// Version of the control channel. One dated line for each; a coordinator serves <see cref="Oldest"/> to
/// <see cref="Current"/>.
/// <list type="bullet">
/// <item>1 (2026-11-22): challenge, register, map (snapshot, delta, keepalive, reach, notice), report, reach, rotate, logout.</item>
/// </list>
/// </summary>
public static class ProtocolVersion
{
    public const uint Oldest = 1;
    public const uint Current = 1;
}
