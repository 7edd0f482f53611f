using System.Text.Json;
using Mesh.EndToEnd.Lab;

namespace Mesh.EndToEnd.Demo;

/// <summary>scripts/demo as its users run it.</summary>
public class DemoTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    [Fact]
    public Task The_demo_holds() => HoldsAsync([]);

    [Fact]
    public async Task The_demo_holds_for_an_ordinary_user()
    {
        const string nobody = "65534";
        string[] asNobody = ["setpriv", $"--reuid={nobody}", $"--regid={nobody}", "--clear-groups"];
        await using var can = LabProcess.Start([.. asNobody, "test", "-x", Demo]);
        var result = await can.WaitForExitAsync(Deadline);
        Assert.SkipUnless(result.ExitCode == 0, $"No other user can run the demo of this clone: {result.Error}");

        // Neither a home nor a place for temporary files of root's.
        await HoldsAsync(asNobody, new Dictionary<string, string?> { ["HOME"] = "/nonexistent", ["TMPDIR"] = null });
    }

    private static string Demo => Path.Combine(Repository.Root, "scripts", "demo");

    private static async Task HoldsAsync(string[] prefix, IReadOnlyDictionary<string, string?>? environment = null)
    {
        await using var demo = LabProcess.Start([.. prefix, Demo, "--json"], environment: environment);
        var result = await demo.WaitForExitAsync(Deadline);

        Assert.True(result.ExitCode == 0, result.Error);
        using var report = JsonDocument.Parse(result.Output);
        var checks = report.RootElement.GetProperty("checks").EnumerateArray().ToList();
        Assert.True(checks.Count >= 15, result.Output);
        Assert.All(checks, check =>
        {
            Assert.Equal(["name", "ok", "ms"], check.EnumerateObject().Select(property => property.Name));
            Assert.True(check.GetProperty("ok").GetBoolean(), check.GetRawText());
        });
    }
}
