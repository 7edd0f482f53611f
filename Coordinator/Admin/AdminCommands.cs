using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Policy;
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
        var command = new CreatePreAuthKey
        {
            User = model.User ?? "",
            Tags = model.Tags is null ? [] : [.. model.Tags],
            Reusable = model.Reusable,
            Ephemeral = model.Ephemeral,
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

    public static async Task<KeyModel> RevokeKeyAsync(AdminContext admin, NetworkHost network, ulong id, Caller caller)
    {
        var key = await network.Runtime.ExecuteAsync(new RevokePreAuthKey(id), caller.Actor, caller.Key);
        return AdminQueries.Describe(key, admin.Clock.GetUtcNow());
    }

    public static async Task<PolicyModel> SetPolicyAsync(NetworkHost network, PolicyModel model, Caller caller)
    {
        var preset = model.Preset switch
        {
            "allow-all" => PolicyPreset.AllowAll,
            "deny-all" => PolicyPreset.DenyAll,
            _ => throw new ProblemException(Problems.Invalid("preset", "is neither allow-all nor deny-all")),
        };
        await network.Runtime.ExecuteAsync(new SetPolicy(preset), caller.Actor, caller.Key);
        return AdminQueries.Policy(network);
    }
}
