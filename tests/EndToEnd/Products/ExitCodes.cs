namespace Mesh.EndToEnd.Products;

/// <summary>
/// The documented exit codes, written down once more on purpose: scripts lean on the numbers, so a change must fail here.
/// </summary>
internal static class ExitCodes
{
    public const int Done = 0;
    public const int Usage = 2;

    public const int NodeHasNoDaemon = 3;
    public const int NodeCoordinatorUnreachable = 4;
    public const int NodeCoordinatorNotTrusted = 5;
    public const int NodeRefused = 6;
    public const int NodeStateDirectoryInUse = 7;
    public const int NodeHasNoTunnelRights = 9;
    public const int NodeStateUnusable = 8;
    public const int NodeInUse = 10;
    public const int NodeNotUp = 11;
    public const int NodeUnknownPeer = 12;

    public const int CoordinatorRefused = 1;
    public const int CoordinatorUnreachable = 3;
    public const int CoordinatorStateDirectoryInUse = 10;
    public const int CoordinatorAddressUnusable = 12;
    public const int CoordinatorStateDamaged = 13;
}
