using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Mesh.Coordinator.Admin;

internal static partial class AdminApi
{
    private static void MapPolicy(WebApplication app, AdminContext admin)
    {
        app.MapGet("/v1/networks/{network}/policy", c =>
            {
                var state = Network(c, admin).Runtime.State;
                return Tagged(c, PolicyCalls.Describe(state), AdminJson.Default.PolicyModel, EntityTag.OfPolicy(state));
            })
            .Describe(new("getPolicy", "The policy of a network.") { Response = AdminJson.Default.PolicyModel, Tagged = true });
        app.MapPut("/v1/networks/{network}/policy", async c =>
            {
                var network = Network(c, admin);
                var state = await PolicyCalls.SetAsync(c, network, await ReadAsync(c, AdminJson.Default.SetPolicyModel), Caller.Of(c));
                await Tagged(c, PolicyCalls.Describe(state), AdminJson.Default.PolicyModel, EntityTag.OfPolicy(state));
            })
            .Describe(new("setPolicy", "Replaces the policy of a network, once it is found right and its tests hold.")
            {
                Request = AdminJson.Default.SetPolicyModel, Response = AdminJson.Default.PolicyModel, Tagged = true, MaxRequestBodySize = PolicyCalls.BodyBytes,
            });
        app.MapPost("/v1/networks/{network}/policy/effect", async c =>
            {
                var network = Network(c, admin);
                var model = await ReadAsync(c, AdminJson.Default.SetPolicyModel);
                await Json(c, PolicyCalls.Effect(network.Runtime.State, model), AdminJson.Default.PolicyEffectModel);
            })
            .Describe(new("tryPolicy", "What a policy would change for whom, or why it would be refused. Changes nothing.")
            {
                Request = AdminJson.Default.SetPolicyModel, Response = AdminJson.Default.PolicyEffectModel, MaxRequestBodySize = PolicyCalls.BodyBytes,
            });
        app.MapGet("/v1/networks/{network}/policy/explain", c =>
            {
                var state = Network(c, admin).Runtime.State;
                string? source = Asked(c, "source"), destination = Asked(c, "destination"), protocol = Asked(c, "protocol");
                var explanation = PolicyCalls.Explain(state, source ?? throw Missing("source"), destination ?? throw Missing("destination"), protocol ?? "tcp", admin.Clock.GetUtcNow());
                return Json(c, explanation, AdminJson.Default.PolicyExplanationModel);
            })
            .Describe(new("explainPolicy", "Whether somebody reaches something, by which rules, or why not.")
            {
                Response = AdminJson.Default.PolicyExplanationModel,
                Query =
                [
                    new("source", "A machine's name or address, a user (ann@), a group: or a tag:.") { Required = true },
                    new("destination", "Likewise, with :PORT behind it where the protocol has ports.") { Required = true },
                    new("protocol", "A name or number; tcp unless it is said."),
                ],
            });
    }

    /// <summary>A word of a question. Said back in the answer, so as strict as a label.</summary>
    private static string? Asked(HttpContext context, string name) =>
        context.Request.Query[name].ToString() is { Length: > 0 } text ? NetworkValues.CheckLabel(text, name) : null;

    private static ProblemException Missing(string name) => new(Problems.Invalid(name, "is missing"));
}
