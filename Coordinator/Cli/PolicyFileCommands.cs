using System.CommandLine;
using System.Text;
using System.Text.Json;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Evaluation;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Cli;

/// <summary>policy eval | check | test: what a policy file means, without a coordinator.</summary>
internal static class PolicyFileCommands
{
    private const string EvalHelp = """
        Says what a policy means for users and nodes of a file: the packet filter of every node, and the peers that it sees with
        what it may send to them. Needs no coordinator.

        The nodes file:
          {"users": [{"id": 1, "name": "alice", "email": "alice@example.com"}],
           "nodes": {"laptop": {"user": "alice", "ipv4": "100.64.0.1", "ipv6": "fd00::1"},
                     "web":    {"tags": ["tag:web"], "ipv4": "100.64.0.2", "approved_routes": ["10.1.0.0/16"], "primary_routes": ["10.1.0.0/16"]}}}

        Prints {"valid": true, "nodes": {NAME: {"packetFilter": [...], "peers": {...}}}}, or {"valid": false, "message": "..."} and
        exits 1.

        Example:
          mesh-coordinator policy eval --policy policy.hujson --nodes nodes.json --json
        """;

    public static Command Eval(Terminal terminal)
    {
        var policy = new Option<string>("--policy") { Description = "The policy, as HuJSON", HelpName = "FILE", Required = true };
        var nodes = new Option<string>("--nodes") { Description = "Users and nodes, as JSON", HelpName = "FILE", Required = true };
        var json = CommonOptions.Json();
        var command = new Command("eval", EvalHelp) { policy, nodes, json };
        command.SetAction((line, _) => AdminVerb.GuardAsync(terminal, () =>
        {
            var fleet = ReadNodes(line.GetValue(nodes)!);
            try
            {
                var program = new PolicyProgram(PolicyDocument.Parse(Read(line.GetValue(policy)!)));
                fleet.ThrowIfRefused(program);
                var evaluation = new PolicyEvaluation(program, fleet);
                terminal.Line(Write(line.GetValue(json), writer =>
                {
                    writer.WriteStartObject();
                    writer.WriteBoolean("valid", true);
                    writer.WritePropertyName("nodes");
                    evaluation.WriteTo(writer);
                    writer.WriteEndObject();
                }));
                return Task.FromResult(ExitCode.Ok);
            }
            catch (PolicyRefusedException refused)
            {
                Print(terminal, refused, line.GetValue(json));
                return Task.FromResult(ExitCode.Refused);
            }
        }));
        return command;
    }

    public static Command Check(Terminal terminal) => Read(
        terminal, "check", "Says whether a policy file is one, with the line and column of what is wrong, and what of it has no effect. Needs no coordinator.",
        "policy check policy.hujson", null, static (_, _) => { });

    public static Command Test(Terminal terminal) => Read(
        terminal, "test", "Runs the tests of a policy file on the users and nodes of a file (see 'policy eval --help'). Exits 1 when one fails. Needs no coordinator.",
        "policy test policy.hujson --nodes nodes.json",
        new Option<string>("--nodes") { Description = "Users and nodes, as JSON", HelpName = "FILE", Required = true },
        static (program, fleet) => fleet!.ThrowIfRefused(program));

    private static Command Read(
        Terminal terminal, string name, string description, string example, Option<string>? nodes, Action<PolicyProgram, EvaluatedFleet?> check)
    {
        var file = new Argument<string>("FILE") { Description = "The policy, as HuJSON" };
        var json = CommonOptions.Json();
        var command = new Command(name, $"{description}\n\nExample:\n  mesh-coordinator {example}") { file, json };
        if (nodes is not null) command.Options.Add(nodes);
        command.SetAction((line, _) => AdminVerb.GuardAsync(terminal, () =>
        {
            var fleet = nodes is null ? null : ReadNodes(line.GetValue(nodes)!);
            bool asJson = line.GetValue(json);
            try
            {
                var program = new PolicyProgram(PolicyDocument.Parse(Read(line.GetValue(file)!)));
                check(program, fleet);
                foreach (var notice in program.Document.Notices) terminal.Note($"note: {notice}");
                terminal.Line(asJson ? Write(true, static writer => { writer.WriteStartObject(); writer.WriteBoolean("valid", true); writer.WriteEndObject(); }) : "ok");
                return Task.FromResult(ExitCode.Ok);
            }
            catch (PolicyRefusedException refused)
            {
                Print(terminal, refused, asJson);
                return Task.FromResult(ExitCode.Refused);
            }
        }));
        return command;
    }

    /// <summary>What is wrong with a policy, a line each; and on standard output with --json.</summary>
    internal static void Print(Terminal terminal, PolicyRefusedException refused, bool json)
    {
        foreach (var problem in refused.Problems) terminal.Note($"{problem}");
        if (json)
        {
            terminal.Line(Write(true, writer =>
            {
                writer.WriteStartObject();
                writer.WriteBoolean("valid", false);
                writer.WriteString("message", refused.Message);
                writer.WriteEndObject();
            }));
        }
    }

    private static string Write(bool compact, Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = !compact })) write(writer);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static EvaluatedFleet ReadNodes(string path)
    {
        try
        {
            return EvaluatedFleet.Parse(Read(path));
        }
        catch (FormatException e)
        {
            throw new CliFailure(ExitCode.Usage, $"{path}: {e.Message}");
        }
    }

    /// <summary>A file, or standard input for -.</summary>
    internal static byte[] Read(string path)
    {
        try
        {
            if (path != "-") return File.ReadAllBytes(path);
            using var input = new MemoryStream();
            using var source = Console.OpenStandardInput();
            source.CopyTo(input);
            return input.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliFailure(ExitCode.Usage, $"cannot read {path}: {e.Message}");
        }
    }
}
