namespace Mesh.Protocol;

/// <summary>Names of networks: 1 to 63 of a-z, 0-9 and '-', no '-' at either end. Safe as a file name and in a URL.</summary>
public static class NetworkName
{
    public const string Default = "default";

    public static bool IsValid(ReadOnlySpan<char> name) => DnsLabel.IsValid(name);
}
