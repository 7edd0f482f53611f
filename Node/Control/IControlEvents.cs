using Mesh.Protocol.Control;

namespace Mesh.Node.Control;

/// <summary>What a control session tells its owner: one call at a time, never again after its run has ended.</summary>
internal interface IControlEvents
{
    /// <summary>A frame was applied whole.</summary>
    /// <param name="keep">It must be on disk when this returns, since the coordinator will be told that this node has it.</param>
    void MapChanged(NetworkMap map, bool keep);

    /// <summary>A peer asks for a path to be opened.</summary>
    void ReachAsked(Reach reach);

    /// <summary>An administrator let the pending machine in.</summary>
    void Registered(Registration registration);

    /// <summary>The coordinator said that this machine is no member any more.</summary>
    void Removed();

    /// <summary>This machine's authorisation has ended. A later map says that it was given anew.</summary>
    void Expired();

    /// <summary>The root named one that will follow it, or that one was met and is trusted alone. To be kept over a restart.</summary>
    void PinsChanged(PinPair pins);

    void StatusChanged(ControlStatus status);
}
