namespace Mesh.Coordinator.Policy.Language;

/// <summary>How large a policy may be. Beyond these it is refused at the place where it goes too far.</summary>
public static class PolicyLimits
{
    /// <summary>Of the text. Two thousand rules of ten lines each are half of it.</summary>
    public const int TextBytes = 1024 * 1024;

    /// <summary>Objects and arrays within each other: the format's own depth is 7, that of an application's capability is its own.</summary>
    public const int Depth = 32;

    /// <summary>acls and grants together.</summary>
    public const int Rules = 10_000;

    /// <summary>Problems that are told at once; the rest waits until these are mended.</summary>
    public const int Problems = 20;
}
