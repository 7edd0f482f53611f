using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>Whoever may log in by the domain of an e-mail address must be of the network's own: in another's, anybody may make an account.</summary>
internal static class SshDomains
{
    private const string LocalPart = "localpart:*@";

    /// <param name="domain">The network's; "" for none, which no rule may name.</param>
    public static IEnumerable<PolicyProblem> Check(PolicyDocument document, string domain)
    {
        foreach (var rule in document.SshRules)
        {
            foreach (var source in rule.Sources.Where(source => source.Kind == SelectorKind.UserDomain))
                if (Foreign(source.Text["user:*@".Length..]) is { } problem) yield return new PolicyProblem(source.Position, "[ssh] " + problem);
            foreach (string user in rule.Users.Where(user => user.StartsWith(LocalPart, StringComparison.Ordinal)))
                if (Foreign(user[LocalPart.Length..]) is { } problem) yield return new PolicyProblem(rule.Position, problem);
        }

        string? Foreign(string named) => named.Equals(domain, StringComparison.OrdinalIgnoreCase)
            ? null : $"{named} is not associated with this Tailnet and cannot be used in user:*@<domain> expressions";
    }
}
