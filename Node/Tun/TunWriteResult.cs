namespace Mesh.Node.Tun;

/// <summary>What became of a packet given to the host. None of these is an error of the caller's.</summary>
public enum TunWriteResult
{
    /// <summary>The host took it.</summary>
    Taken,

    /// <summary>The host did not: interface down, queue full, or not an IP packet. Drop it.</summary>
    Refused,

    /// <summary>
    /// The host takes no superpackets of this kind after all, and <see cref="ITunDevice.Offloads"/> says so from now on. Write
    /// the packets one by one.
    /// </summary>
    NoOffload,
}
