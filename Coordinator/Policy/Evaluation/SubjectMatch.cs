using Mesh.Coordinator.Policy.Language;

namespace Mesh.Coordinator.Policy.Evaluation;

/// <summary>Whether a selector means a node: read straight from the text, without classes, for tests of policies.</summary>
internal static class SubjectMatch
{
    public static bool Means(PolicyDocument document, Selector selector, PolicySubject subject) =>
        subject.Addresses.Any(address => Means(document, selector, subject, address));

    /// <param name="address">One of the node's own.</param>
    public static bool Means(PolicyDocument document, Selector selector, PolicySubject subject, IpPrefix address) => selector.Kind switch
    {
        SelectorKind.Everything or SelectorKind.DangerAll => true,
        SelectorKind.Member => !subject.IsTagged,
        SelectorKind.Tagged => subject.IsTagged,
        SelectorKind.Tag => subject.Tags.Contains(selector.Text),
        SelectorKind.User => IsUser(subject, selector),
        SelectorKind.UserDomain => !subject.IsTagged && subject.UserEmail.EndsWith(selector.Text["user:*".Length..], StringComparison.OrdinalIgnoreCase),
        SelectorKind.Group => document.Groups[selector.Text].Any(user => IsUser(subject, user)),
        SelectorKind.Host or SelectorKind.Prefix => document.LiteralOf(selector) is { } prefix && prefix.Contains(address),
        _ => false,
    };

    private static bool IsUser(PolicySubject subject, Selector user) => !subject.IsTagged && user.IsUser(subject.UserName, subject.UserEmail);
}
