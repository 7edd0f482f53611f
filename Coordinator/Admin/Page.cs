using Mesh.Coordinator.Hosting;
using Microsoft.AspNetCore.Http;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// Which part of a list is wanted. Lists are in the order of a key that never changes (an id, a network's name), so that going
/// on after an item misses nothing and shows nothing twice, whatever was added or deleted meanwhile.
/// </summary>
/// <param name="After">The key of the last item seen; null from the start.</param>
internal readonly record struct Page(string? After, int Limit)
{
    public const int MaxItems = 1000;

    public static AdminQueryParameter[] Query { get; } =
    [
        new("after", "Goes on after this item: what \"next\" of the page before said."),
        new("limit", "At most so many items.", 1, MaxItems),
    ];

    public static Page Of(HttpContext context) =>
        new(context.Request.Query["after"], (int)(AdminApi.Number(context, "limit", 1, MaxItems) ?? MaxItems));

    /// <summary>A page of things that have numbers.</summary>
    public ListModel<TModel> Take<T, TModel>(IEnumerable<T> all, Func<T, ulong> id, Func<T, TModel> describe)
    {
        ulong after = 0;
        if (After is not null && !ulong.TryParse(After, System.Globalization.NumberStyles.None, null, out after))
            throw new ProblemException(Problems.Invalid("after", "is not the number of an item"));
        return Cut(all.Where(item => id(item) > after).OrderBy(id), item => $"{id(item)}", describe);
    }

    /// <summary>A page of things that have names.</summary>
    public ListModel<TModel> Take<T, TModel>(IEnumerable<T> all, Func<T, string> name, Func<T, TModel> describe)
    {
        string? after = After;
        if (after is { Length: > 253 }) throw new ProblemException(Problems.Invalid("after", "is not the name of an item"));
        return Cut(all.Where(item => after is null || string.CompareOrdinal(name(item), after) > 0).OrderBy(name, StringComparer.Ordinal), name, describe);
    }

    private ListModel<TModel> Cut<T, TModel>(IEnumerable<T> rest, Func<T, string> key, Func<T, TModel> describe)
    {
        List<T> items = [.. rest.Take(Limit + 1)];
        bool more = items.Count > Limit;
        if (more) items.RemoveAt(Limit);
        return new([.. items.Select(describe)], more ? key(items[^1]) : null);
    }
}
