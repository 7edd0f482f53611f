using System.CommandLine;
using System.Globalization;
using System.Text;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Log;

namespace Mesh.Coordinator.Cli;

/// <summary>The options by which log list and log export choose events.</summary>
internal sealed class LogFilter(int mostEvents)
{
    private readonly Option<long> _after = new("--after") { Description = "Only events after this position", HelpName = "POSITION" };
    private readonly Option<int?> _limit = new("--limit")
    {
        Description = mostEvents == int.MaxValue ? "At most so many events" : $"At most so many events, up to {mostEvents}", HelpName = "COUNT",
    };
    private readonly Option<string?> _actor = new("--actor") { Description = "Only what someone did: a part of the WHO column, such as admin or a machine's name", HelpName = "WHO" };
    private readonly Option<string?> _node = new("--node") { Description = "Only events about a machine: its id, or its name at the time", HelpName = "NODE" };
    private readonly Option<string?> _kind = new("--kind") { Description = $"Only events of a kind: {string.Join(", ", Enum.GetNames<EventKind>())}", HelpName = "KIND" };
    private readonly Option<string?> _since = new("--since") { Description = "Only events from then on: 2026-11-22T10:00:00Z, or 24h for the last 24 hours", HelpName = "TIME" };
    private readonly Option<string?> _until = new("--until") { Description = "Only events before then", HelpName = "TIME" };

    public Symbol[] Symbols => [_after, _limit, _actor, _node, _kind, _since, _until];

    public string Query(ParseResult line)
    {
        var query = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"?after={line.GetValue(_after)}"));
        if (line.GetValue(_limit) is { } limit) query.Append(CultureInfo.InvariantCulture, $"&limit={limit}");
        foreach (var (name, option) in new[] { ("actor", _actor), ("node", _node), ("kind", _kind) })
            if (line.GetValue(option) is { } text) query.Append(CultureInfo.InvariantCulture, $"&{name}={Uri.EscapeDataString(text)}");
        foreach (var (name, option) in new[] { ("since", _since), ("until", _until) })
            if (line.GetValue(option) is { } text) query.Append(CultureInfo.InvariantCulture, $"&{name}={Uri.EscapeDataString(Time(option.Name, text))}");
        return query.ToString();
    }

    private static string Time(string option, string text)
    {
        var time = DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var given)
            ? given
            : DateTimeOffset.UtcNow - TimeSpan.FromSeconds(KeysCommand.ParseLifetime(text, option, allowNever: false));
        return time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
    }
}
