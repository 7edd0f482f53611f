using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using Mesh.Coordinator.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// Writes the admin API's OpenAPI 3.1 document from its endpoints and the JSON models, so that it can't say anything else than
/// what is served. The committed copy is docs/admin-api.json.
/// </summary>
internal static class OpenApiDocument
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static byte[] Write(IEnumerable<EndpointDataSource> sources)
    {
        var schemas = new SortedDictionary<string, JsonNode>(StringComparer.Ordinal);
        var paths = new SortedDictionary<string, SortedDictionary<string, JsonNode>>(StringComparer.Ordinal);
        foreach (var endpoint in sources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<AdminOperation>() is not { } operation) continue;
            string path = endpoint.RoutePattern.RawText!;
            string method = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0].ToLowerInvariant();
            if (!paths.TryGetValue(path, out var item)) paths[path] = item = new(StringComparer.Ordinal);
            item[method] = Describe(operation, endpoint, method, schemas);
        }
        Refer(AdminJson.Default.Problem, schemas, isRequest: false);
        var document = new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "Mesh coordinator admin API",
                ["version"] = "1",
                ["description"] = "Served on the socket admin.sock of the state directory, and with --admin-listen over TLS with the coordinator's pin and an "
                    + "admin token. Whatever goes wrong is answered with problem+json (RFC 9457), whose type is stable and whose field names what is at fault. "
                    + "A POST may carry Idempotency-Key: said again, it changes nothing twice.",
            },
            ["security"] = new JsonArray(new JsonObject { ["adminToken"] = new JsonArray() }),
            ["paths"] = ToObject(paths.Select(p => KeyValuePair.Create(p.Key, (JsonNode)ToObject(p.Value)))),
            ["components"] = new JsonObject
            {
                ["securitySchemes"] = new JsonObject
                {
                    ["adminToken"] = new JsonObject
                    {
                        ["type"] = "http", ["scheme"] = "bearer", ["description"] = "From 'mesh-coordinator tokens create'. Not looked at on the socket.",
                    },
                },
                ["schemas"] = ToObject(schemas),
            },
        };
        return Encoding.UTF8.GetBytes(document.ToJsonString(Indented) + "\n");
    }

    private static JsonObject Describe(AdminOperation operation, RouteEndpoint endpoint, string method, SortedDictionary<string, JsonNode> schemas)
    {
        var parameters = new JsonArray();
        foreach (var part in endpoint.RoutePattern.Parameters)
        {
            parameters.Add((JsonNode)Parameter(part.Name, "path", required: true, part.Name == "id"
                ? new JsonObject { ["type"] = "integer", ["minimum"] = 1 }
                : new JsonObject { ["type"] = "string" }, null));
        }
        foreach (var query in operation.Query)
        {
            parameters.Add((JsonNode)Parameter(query.Name, "query", query.Required, query.Most is { } most
                ? new JsonObject { ["type"] = "integer", ["minimum"] = query.Least, ["maximum"] = most }
                : new JsonObject { ["type"] = "string" }, query.Description));
        }
        if (operation.Tagged && method != "get")
        {
            parameters.Add((JsonNode)Parameter("If-Match", "header", required: false, new JsonObject { ["type"] = "string" },
                "An entity tag: the change is refused with 412 when someone else was first."));
        }
        if (method == "post")
        {
            parameters.Add((JsonNode)Parameter("Idempotency-Key", "header", required: false, new JsonObject { ["type"] = "string", ["maxLength"] = Caller.MaxKeyChars },
                "Chosen by the client for what it wants done once."));
        }
        var success = new JsonObject { ["description"] = "Done." };
        if (operation.Tagged && !(method == "delete"))
            success["headers"] = new JsonObject { ["ETag"] = new JsonObject { ["schema"] = new JsonObject { ["type"] = "string" } } };
        success["content"] = new JsonObject
        {
            [operation.ContentType] = new JsonObject
            {
                ["schema"] = operation.Response is { } response ? Refer(response, schemas, isRequest: false) : new JsonObject(),
            },
        };
        var described = new JsonObject { ["operationId"] = operation.Id, ["summary"] = operation.Summary };
        if (parameters.Count > 0) described["parameters"] = parameters;
        if (operation.Request is { } request)
        {
            described["requestBody"] = new JsonObject
            {
                ["required"] = true,
                ["content"] = new JsonObject { ["application/json"] = new JsonObject { ["schema"] = Refer(request, schemas, isRequest: true) } },
            };
        }
        described["responses"] = new JsonObject
        {
            [operation.Status.ToString(System.Globalization.CultureInfo.InvariantCulture)] = success,
            ["default"] = new JsonObject
            {
                ["description"] = "What is wrong.",
                ["content"] = new JsonObject
                {
                    [Problem.ContentType] = new JsonObject { ["schema"] = new JsonObject { ["$ref"] = "#/components/schemas/Problem" } },
                },
            },
        };
        return described;
    }

    private static JsonObject Parameter(string name, string place, bool required, JsonObject schema, string? description)
    {
        var parameter = new JsonObject { ["name"] = name, ["in"] = place };
        if (required) parameter["required"] = true;
        if (description is not null) parameter["description"] = description;
        parameter["schema"] = schema;
        return parameter;
    }

    /// <summary>A reference to the type's schema, which is written among the others the first time.</summary>
    private static JsonObject Refer(JsonTypeInfo type, SortedDictionary<string, JsonNode> schemas, bool isRequest)
    {
        string name = NameOf(type.Type);
        if (!schemas.ContainsKey(name))
        {
            schemas[name] = new JsonObject();
            schemas[name] = type.GetJsonSchemaAsNode(new JsonSchemaExporterOptions
            {
                TreatNullObliviousAsNonNullable = true,
                TransformSchemaNode = (context, schema) => Transform(context, schema, schemas, isRequest),
            });
        }
        return new JsonObject { ["$ref"] = "#/components/schemas/" + name };
    }

    private static JsonNode Transform(JsonSchemaExporterContext context, JsonNode schema, SortedDictionary<string, JsonNode> schemas, bool isRequest)
    {
        if (schema is not JsonObject written) return schema;
        var type = Nullable.GetUnderlyingType(context.TypeInfo.Type) ?? context.TypeInfo.Type;
        if (type == typeof(ulong) || type == typeof(uint)) written["minimum"] = 0;
        if (context.TypeInfo.Kind != JsonTypeInfoKind.Object) return written;
        if (context.Path.Length > 0 && type.Name.EndsWith("Model", StringComparison.Ordinal)) return Refer(context.TypeInfo, schemas, isRequest);
        if (isRequest) return written;
        // An answer always has what can't be null; readers must take fields that a later version adds.
        written.Remove("additionalProperties");
        written.Remove("required");
        var required = context.TypeInfo.Properties.Where(p => !p.IsGetNullable && Nullable.GetUnderlyingType(p.PropertyType) is null).Select(p => (JsonNode)p.Name);
        written["required"] = new JsonArray([.. required]);
        return written;
    }

    private static string NameOf(Type type) =>
        type.IsGenericType ? NameOf(type.GetGenericArguments()[0]) + "List"
        : type.Name.EndsWith("Model", StringComparison.Ordinal) ? type.Name[..^"Model".Length] : type.Name;

    private static JsonObject ToObject(IEnumerable<KeyValuePair<string, JsonNode>> members)
    {
        var result = new JsonObject();
        foreach (var (name, value) in members) result[name] = value;
        return result;
    }
}
