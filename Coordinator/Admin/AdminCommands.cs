using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Admin;

/// <summary>What the admin API changes. Every change is a command, and an event with the caller's name in it.</summary>
internal static class AdminCommands
{
    public static async Task<CreatedKeyModel> CreateKeyAsync(
        AdminContext admin, NetworkHost network, CreateKeyModel model, Caller caller)
    {
        if (model.ExpiresInSeconds is < 0 or > (long)int.MaxValue * 60)
            throw new ProblemException(Problems.Invalid("expiresInSeconds", "is not a lifetime in seconds"));
        if (model.Tags?.Any(tag => tag is null) == true) throw new ProblemException(Problems.Invalid("tags", "holds a null"));
        var command = new CreatePreAuthKey
        {
            User = model.User ?? "",
            Tags = model.Tags is null ? [] : [.. model.Tags],
            Reusable = model.Reusable,
            Ephemeral = model.Ephemeral,
            PreApproved = model.PreApproved,
            Lifetime = model.ExpiresInSeconds switch
            {
                null => NetworkLimits.PreAuthKeyLifetime,
                0 => null,
                { } seconds => TimeSpan.FromSeconds(seconds),
            },
        };
        var created = await network.Runtime.ExecuteAsync(command, caller.Actor, caller.Key);
        if (created.Text is not { } text)
        {
            throw new ProblemException(new Problem(409, ProblemType.Malformed, "Key shown before",
                $"Pre-auth key {created.Key.Id} was made by an earlier request with this Idempotency-Key, and is shown only once. Make another."));
        }
        return new CreatedKeyModel(
            AdminQueries.Describe(created.Key, admin.Clock.GetUtcNow()), text, admin.Links.Reveal(network.Runtime.Name, text));
    }

    public static CreatedTokenModel CreateToken(AdminContext admin, CreateTokenModel model, Caller caller)
    {
        if (model.ExpiresInSeconds is < 0 || model.ExpiresInSeconds > (long)AdminTokens.MaxLifetime.TotalSeconds)
            throw new ProblemException(Problems.Invalid("expiresInSeconds", $"is not from 0 (never) to {AdminTokens.MaxLifetime.TotalDays} days in seconds"));
        TimeSpan? lifetime = model.ExpiresInSeconds switch
        {
            null => AdminTokens.DefaultLifetime,
            0 => null,
            { } seconds => TimeSpan.FromSeconds(seconds),
        };
        var (token, text) = admin.Tokens.Create(model.Name, lifetime, caller.Actor);
        return new CreatedTokenModel(AdminQueries.Describe(token, admin.Clock.GetUtcNow()), text, admin.AdminAddress());
    }

    public static async Task<KeyModel> RevokeKeyAsync(AdminContext admin, NetworkHost network, ulong id, Caller caller)
    {
        var key = await network.Runtime.ExecuteAsync(new RevokePreAuthKey(id), caller.Actor, caller.Key);
        return AdminQueries.Describe(key, admin.Clock.GetUtcNow());
    }
}
