using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Presence;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// Entity tags (RFC 9110 section 8.8.3) of what two administrators may change at once. A tag names what is durable, so that a
/// node's coming and going changes none.
/// </summary>
internal static class EntityTag
{
    private const int MaxTags = 16;

    public static string OfPolicy(NetworkState state) => string.Create(CultureInfo.InvariantCulture, $"\"p{state.PolicyPosition}\"");

    /// <summary>Null when the node is not there.</summary>
    public static string? OfNode(NetworkState state, ulong id)
    {
        if (state.FindNode(id) is not { } node) return null;
        var durable = AdminQueries.Describe(node, null, null, DateTimeOffset.MinValue);
        byte[] hash = SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(durable, AdminJson.Default.NodeModel));
        return $"\"n{Base64Url.EncodeToString(hash.AsSpan(0, 16))}\"";
    }

    /// <summary>Null when the user is not there. Machines that come or go change it.</summary>
    public static string? OfUser(NetworkState state, ulong id)
    {
        if (!state.Users.TryGetValue(id, out var user)) return null;
        byte[] hash = SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(UserCalls.Describe(state, user), AdminJson.Default.UserModel));
        return $"\"u{Base64Url.EncodeToString(hash.AsSpan(0, 16))}\"";
    }

    /// <summary>The command, to be refused when If-Match says that its sender saw something else. Decided with the command, so nobody comes between.</summary>
    public static ICommand<T> IfMatch<T>(HttpContext context, ICommand<T> command, Func<NetworkState, string?> tagOf)
    {
        var header = context.Request.Headers.IfMatch;
        if (header.Count == 0) return command;
        if (!EntityTagHeaderValue.TryParseStrictList(header, out var wanted) || wanted.Count is 0 or > MaxTags)
            throw new ProblemException(Problems.Invalid("If-Match", "is not a list of entity tags"));
        if (wanted is [{ Tag.Value: "*" }]) return command;
        HashSet<string> tags = [.. wanted.Where(tag => !tag.IsWeak).Select(tag => tag.Tag.Value!)];
        return new ConditionalCommand<T>(command, state => tagOf(state) is { } tag && tags.Contains(tag));
    }
}
