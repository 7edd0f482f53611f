using System.Globalization;
using System.Text.Json;

// fuzz-coverage REPORT.json: the branch coverage of the files that read bytes from a network, as a table.
string[] parsers =
[
    "Node/Device/InboundPath.cs", "Node/Device/InnerPacket.cs", "Node/Device/TransportMessage.cs", "Node/Device/Handshakes.cs", "Node/Device/HandshakeGate.cs",
    "Node/Device/HandshakeQueue.cs", "Node/Device/SourceRates.cs", "Node/Device/PeerMacs.cs", "Node/Device/ControlPath.cs", "Node/Device/IpPrefix.cs", "Node/Device/AllowedIps.cs",
    "Node/Filter/PacketHeaders.cs", "Node/Filter/IcmpMessage.cs", "Node/Filter/PolicyFilter.cs", "Node/Filter/Fragments.cs", "Node/Filter/Flows.cs",
    "Crypto/Noise/NoiseIk.cs", "Crypto/ReplayWindow.cs",
    "Node/Uapi/UapiConnection.cs", "Node/Uapi/UapiSet.cs", "Node/Uapi/UapiGet.cs", "Node/Udp/UdpEndpointText.cs",
    "Node/Control/FrameReader.cs", "Node/Control/NetworkMap.cs", "Node/Control/MapRules.cs", "Node/Control/WireEndpoint.cs", "Protocol/JoinLink.cs", "Protocol/DnsLabel.cs",
    "Coordinator/Hosting/RequestCheck.cs", "Coordinator/Map/ResumeToken.cs",
];
using JsonDocument report = JsonDocument.Parse(File.ReadAllBytes(args[0]));
var branches = new Dictionary<string, Dictionary<string, bool>>();
foreach (JsonProperty module in report.RootElement.EnumerateObject())
{
    foreach (JsonProperty file in module.Value.EnumerateObject())
    {
        if (Array.Find(parsers, parser => file.Name.EndsWith("/" + parser, StringComparison.Ordinal)) is not { } name) continue;
        var ofFile = branches[name] = [];
        foreach (JsonElement method in file.Value.EnumerateObject().SelectMany(type => type.Value.EnumerateObject()).Select(method => method.Value))
        {
            foreach (JsonElement branch in method.GetProperty("Branches").EnumerateArray())
            {
                string at = $"{branch.GetProperty("Line")}: {branch.GetProperty("Offset")} -> {branch.GetProperty("EndOffset")} ({branch.GetProperty("Ordinal")})";
                ofFile[at] = ofFile.GetValueOrDefault(at) || branch.GetProperty("Hits").GetInt64() > 0;
            }
        }
    }
}
Console.WriteLine("| file | branches | taken | |\n| --- | ---: | ---: | ---: |");
foreach (string name in parsers)
{
    if (!branches.TryGetValue(name, out var ofFile)) continue;
    int taken = ofFile.Values.Count(hit => hit);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {ofFile.Count} | {taken} | {(ofFile.Count == 0 ? 1 : (double)taken / ofFile.Count):P0} |"));
}
Console.WriteLine("\nNot taken:");
foreach (string name in parsers)
{
    if (!branches.TryGetValue(name, out var ofFile)) continue;
    foreach (var branch in ofFile.Where(branch => !branch.Value)) Console.WriteLine($"{name}:{branch.Key}");
}
