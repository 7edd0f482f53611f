using System.Runtime.CompilerServices;

namespace Mesh.Protocol.Tests.Control;

public sealed class ChannelDocumentTests
{
    [Fact]
    public void Every_field_that_crosses_the_channel_has_a_reviewed_bound() => Assert.Empty(ChannelDocument.Unreviewed());

    [Fact]
    public void The_committed_list_is_what_the_descriptors_say()
    {
        string path = DocumentPath();
        string written = ChannelDocument.Write();
        if (Environment.GetEnvironmentVariable("MESH_WRITE_CHANNEL_MD") == "1") File.WriteAllText(path, written);
        Assert.True(File.ReadAllText(path) == written,
            "docs/channel.md is not what the messages say. Review what changed, then write it anew: MESH_WRITE_CHANNEL_MD=1 dotnet run --project tests/Protocol.Tests");
    }

    private static string DocumentPath([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "docs", "channel.md"));
}
