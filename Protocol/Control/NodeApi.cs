namespace Mesh.Protocol.Control;

/// <summary>Paths and content types of the node API. Every path takes POST with one protobuf message.</summary>
public static class NodeApi
{
    public const string Challenge = "/v1/challenge";
    public const string Register = "/v1/register";
    public const string Map = "/v1/map";
    public const string Report = "/v1/report";
    public const string Reach = "/v1/reach";
    public const string Rotate = "/v1/rotate";
    public const string Logout = "/v1/logout";

    public const string MessageContentType = "application/x-protobuf";

    /// <summary>Content type of the answer to <see cref="Map"/>: frames, each after its 4-byte big-endian length.</summary>
    public const string FramesContentType = "application/x-mesh-frames";

    public const string ProblemContentType = "application/problem+json";

    /// <summary>Bytes of the length before each map frame.</summary>
    public const int FrameLengthBytes = 4;
}
