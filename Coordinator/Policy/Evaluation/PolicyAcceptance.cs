using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>Whether a policy that is right in itself may be set in a network: it fits the users, and its tests hold.</summary>
public static class PolicyAcceptance
{
    /// <param name="domain">The network's own: that of its first user's e-mail address; "" for none.</param>
    /// <exception cref="PolicyRefusedException">The policy does not fit the users, or one of its tests does not hold.</exception>
    public static void ThrowIfRefused(PolicyProgram program, IReadOnlyList<PolicySubject> subjects, string domain)
    {
        ArgumentNullException.ThrowIfNull(program);
        PolicyProblem[] problems =
        [
            .. SshDomains.Check(program.Document, domain), .. new PolicyAssertions(program, subjects).Run(),
            .. new SshAssertions(program.Document, subjects).Run(),
        ];
        if (problems.Length > 0) throw new PolicyRefusedException(problems);
    }

    /// <summary>What is behind the @ of an e-mail address; all of it where there is none.</summary>
    internal static string DomainOf(string email) => email[(email.IndexOf('@', StringComparison.Ordinal) + 1)..];
}
