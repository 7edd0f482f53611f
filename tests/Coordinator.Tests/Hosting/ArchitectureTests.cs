using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Runtime.CompilerServices;
using System.Xml.Linq;
using Mesh.Coordinator.Hosting;

namespace Mesh.Coordinator.Tests.Hosting;

/// <summary>The coordinator could not carry or open a packet if it wanted to.</summary>
public sealed class ArchitectureTests : IDisposable
{
    /// <summary>What the coordinator may ask of native code itself: files that are safe after a crash.</summary>
    private static readonly string[] AllowedImports = ["libc!open", "libc!fsync", "libc!close", "libc!geteuid"];

    /// <summary>Of the crypto that tunnels need, with the reason why the coordinator has no use for it.</summary>
    private static readonly string[] ForbiddenCrypto =
    [
        "ChaCha20Poly1305", // seals and opens packets
        "Mac1Key",          // makes handshake messages
        "PresharedKey",     // is between two nodes
        "ReplayWindow",     // counts packets
    ];

    private readonly PEReader _file = new(File.OpenRead(typeof(CoordinatorServer).Assembly.Location));
    private readonly MetadataReader _metadata;

    public ArchitectureTests() => _metadata = _file.GetMetadataReader();

    public void Dispose() => _file.Dispose();

    [Fact]
    public void The_coordinator_references_no_tunnel_cryptography()
    {
        foreach (var handle in _metadata.TypeReferences)
        {
            var type = _metadata.GetTypeReference(handle);
            string name = _metadata.GetString(type.Name), space = _metadata.GetString(type.Namespace);
            Assert.False(space == "Mesh.Crypto" && ForbiddenCrypto.Contains(name), $"references {space}.{name}");
            Assert.False(space.StartsWith("Mesh.Crypto.Noise", StringComparison.Ordinal), $"references {space}.{name}");
            Assert.False(space.StartsWith("Mesh.Protocol.WireGuard", StringComparison.Ordinal), $"references {space}.{name}");
            Assert.False(space == "System.Security.Cryptography" && name == "ChaCha20Poly1305", $"references {space}.{name}");
        }
    }

    [Fact]
    public void The_coordinator_calls_no_native_code_but_for_durable_files_and_its_own_user_id()
    {
        foreach (var handle in _metadata.MethodDefinitions)
        {
            var method = _metadata.GetMethodDefinition(handle);
            var import = method.GetImport();
            if (import.Module.IsNil) continue;
            string module = _metadata.GetString(_metadata.GetModuleReference(import.Module).Name);
            Assert.Contains($"{module}!{_metadata.GetString(import.Name)}", AllowedImports);
        }
    }

    [Fact]
    public void The_coordinator_names_no_TUN_device()
    {
        var handle = MetadataTokens.UserStringHandle(1);
        for (; !handle.IsNil; handle = _metadata.GetNextHandle(handle))
            Assert.DoesNotContain("/dev/net/tun", _metadata.GetUserString(handle), StringComparison.Ordinal);
    }

    [Fact]
    public void The_coordinator_opens_no_raw_socket()
    {
        int opened = 0;
        foreach (var handle in _metadata.MethodDefinitions)
        {
            int address = _metadata.GetMethodDefinition(handle).RelativeVirtualAddress;
            if (address == 0) continue;
            byte[] code = _file.GetMethodBody(address).GetILBytes()!;
            for (int at = 0; at + 5 <= code.Length; at++)
            {
                if (code[at] != 0x73 || !IsSocketConstructor(BitConverter.ToInt32(code, at + 1))) continue; // newobj
                opened++;
                // new Socket(family, type, protocol) with constants: ldc.i4.N is 0x16 + N, and SocketType.Raw is 3.
                Assert.True(at >= 3 && code[at - 2] is 0x17 or 0x18, "a socket that is neither a stream nor a datagram");
            }
        }
        Assert.True(opened > 0, "the search finds the sockets that are there");
    }

    [Fact]
    public void The_two_halves_never_reference_each_other_and_their_ground_is_leaves()
    {
        Assert.Empty(References("Crypto"));
        Assert.Equal(["Mesh.Crypto"], References("Protocol"));
        Assert.Equal(["Mesh.Crypto", "Mesh.Protocol"], References("Coordinator"));
        Assert.Equal(["Mesh.Crypto", "Mesh.Protocol"], References("Node"));
    }

    private static string[] References(string project)
    {
        var file = XDocument.Load(Path.Combine(Root(), project, $"Mesh.{project}.csproj"));
        return [.. file.Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension((string)r.Attribute("Include")!)).Order()];
    }

    private bool IsSocketConstructor(int token)
    {
        // Bytes that only look like an instruction hold no token.
        int row = token & 0xffffff;
        if (token >> 24 != (int)TableIndex.MemberRef || row == 0 || row > _metadata.GetTableRowCount(TableIndex.MemberRef)) return false;
        var member = _metadata.GetMemberReference(MetadataTokens.MemberReferenceHandle(row));
        if (_metadata.GetString(member.Name) != ".ctor" || member.Parent.Kind != HandleKind.TypeReference) return false;
        var type = _metadata.GetTypeReference((TypeReferenceHandle)member.Parent);
        return _metadata.GetString(type.Name) == "Socket" && _metadata.GetString(type.Namespace) == "System.Net.Sockets";
    }

    private static string Root([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", ".."));
}
