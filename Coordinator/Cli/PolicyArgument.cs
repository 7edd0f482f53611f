using System.CommandLine;
using System.Text;
using Mesh.Coordinator.Admin;
using Mesh.Coordinator.Policy;
using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Cli;

/// <summary>A policy on the command line: FILE, --allow-all or --deny-all.</summary>
internal sealed class PolicyArgument
{
    private readonly Argument<string?> _file = new("FILE") { Description = "The policy, as HuJSON; - for standard input", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> _allowAll = new("--allow-all") { Description = "In place of a file: every machine reaches every other" };
    private readonly Option<bool> _denyAll = new("--deny-all") { Description = "In place of a file: no machine reaches another" };

    public IEnumerable<Symbol> Symbols => [_file, _allowAll, _denyAll];

    /// <summary>The policy, found right in itself; null when it is not, which is told with line and column.</summary>
    /// <exception cref="CliFailure">Not one policy is named, or the file cannot be read.</exception>
    public SetPolicyModel? Read(Terminal terminal, ParseResult line, string verb, bool json)
    {
        string? file = line.GetValue(_file);
        bool allowAll = line.GetValue(_allowAll), denyAll = line.GetValue(_denyAll);
        if ((file is null ? 0 : 1) + (allowAll ? 1 : 0) + (denyAll ? 1 : 0) != 1)
            throw new CliFailure(ExitCode.Usage, $"{verb} takes one of FILE, --allow-all and --deny-all; nothing was changed");
        if (file is null) return new SetPolicyModel(allowAll ? NetworkPolicy.AllowAllText : NetworkPolicy.DenyAllText);
        byte[] text = PolicyFileCommands.Read(file);
        try
        {
            PolicyDocument.Parse(text);
            return new SetPolicyModel(Encoding.UTF8.GetString(text));
        }
        catch (PolicyRefusedException refused)
        {
            PolicyFileCommands.Print(terminal, refused, json);
            return null;
        }
    }
}
