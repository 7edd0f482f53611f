using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Network;
using Mesh.Coordinator.Registration;

namespace Mesh.Coordinator.Admin;

/// <summary>Machines that wait to be let in, for administrators.</summary>
internal static class ApprovalCalls
{
    public static ListModel<WaitingMachineModel> List(AdminContext admin, NetworkHost network)
    {
        var state = network.Runtime.State;
        return new([.. admin.Waiting.List(network.Runtime.Id).Select(machine => Describe(state, machine))]);
    }

    /// <summary>The id of the node that is in now.</summary>
    public static async Task<ulong> ApproveAsync(AdminContext admin, NetworkHost network, ApproveModel model, Caller caller)
    {
        if (model.Tags?.Any(tag => tag is null) == true) throw new ProblemException(Problems.Invalid("tags", "holds a null"));
        var tags = NetworkValues.CheckTags(model.Tags is null ? [] : [.. model.Tags]);
        var (machineKey, nodeKey, host) = Find(admin, network, model.Machine);
        var command = new ApproveMachine
        {
            MachineKey = machineKey, NodeKey = nodeKey, Host = host, User = model.User ?? "", Tags = tags,
        };
        return (await network.Runtime.ExecuteAsync(command, caller.Actor, caller.Key)).Node.Id;
    }

    /// <summary>Codes come first: a machine chooses its name, and must not be taken for another whose code it calls itself.</summary>
    private static (MachineKey, Crypto.X25519PublicKey, HostFacts) Find(AdminContext admin, NetworkHost network, string text)
    {
        if (admin.Waiting.TryFind(network.Runtime.Id, text, out var machine)) return (machine.MachineKey, machine.NodeKey, machine.Host);
        var state = network.Runtime.State;
        var node = ulong.TryParse(text, System.Globalization.NumberStyles.None, null, out ulong id) && state.FindNode(id) is { } found ? found : state.FindByName(text);
        if (node is { IsWaiting: true }) return (node.MachineKey, node.NodeKey, node.Host);
        if (node is not null)
        {
            throw new ProblemException(new Problem(409, Protocol.Control.ProblemType.Conflict, "Not waiting",
                $"Node {node.Name} does not wait for approval. One that expired asks for it with 'mesh up', and shows a code then.", "machine"));
        }
        throw new ProblemException(new Problem(404, Protocol.Control.ProblemType.NotFound, "Nobody waits under this code",
            "No machine waits under this code: it was let in, gave up, or got another code. 'mesh-coordinator nodes approve' lists those that wait.", "machine"));
    }

    private static WaitingMachineModel Describe(NetworkState state, WaitingMachine machine)
    {
        var node = state.FindNode(machine.MachineKey);
        return new WaitingMachineModel(
            machine.Code, Printable(machine.Host.Hostname), machine.Host.Os, machine.Host.OsVersion, machine.Host.Architecture, machine.Host.MeshVersion,
            machine.Source.ToString(), machine.Since, node?.Name, node is { User.Length: > 0 } ? node.User : null, node?.Tags ?? [],
            machine.NodeKey.ToString(), machine.MachineKey.ToString());
    }

    // Whatever a stranger calls itself ends on an administrator's terminal.
    private static string Printable(string hostname) => string.Concat(hostname.Select(c =>
        char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.Control or System.Globalization.UnicodeCategory.Format
            or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator
            or System.Globalization.UnicodeCategory.Surrogate ? '?' : c));
}
