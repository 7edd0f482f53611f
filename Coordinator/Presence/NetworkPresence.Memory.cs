using System.Collections.Immutable;
using System.Net;
using Google.Protobuf;
using Mesh.Coordinator.Presence.Memory;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Presence;

/// <summary>What one life of a presence leaves to the next.</summary>
public sealed partial class NetworkPresence
{
    internal const uint MemoryFormat = 1;

    /// <summary>Counted as online because they were, in the last life; without a session yet.</summary>
    private readonly HashSet<ulong> _settling = [];

    /// <summary>All that is known now.</summary>
    /// <param name="freeze">Nothing changes any more from here on, whatever is called: what is returned is the last word.</param>
    internal PresenceMemory Save(bool freeze = false)
    {
        lock (_lock)
        {
            _frozen |= freeze;
            var memory = new PresenceMemory { Format = MemoryFormat, Epoch = Epoch, Version = _current.Version, IsLastWord = _frozen };
            foreach (var id in _current.Nodes.Keys.Union(_sightings.Keys))
            {
                var node = _current.Find(id);
                var seen = _sessions.ContainsKey(id) ? _time.GetUtcNow() : _sightings.TryGetValue(id, out var sighting) ? sighting.At : default;
                var kept = new NodeMemory
                {
                    Id = id, Online = node?.Online ?? false, Version = node?.Version ?? 0,
                    LastSeenMs = seen == default ? 0 : seen.ToUnixTimeMilliseconds(),
                };
                foreach (var endpoint in node?.Endpoints ?? [])
                {
                    kept.Endpoints.Add(new EndpointMemory
                    {
                        Address = ByteString.CopyFrom(endpoint.Address.GetAddressBytes()), Port = endpoint.Port, Source = (uint)endpoint.Source,
                    });
                }

                memory.Nodes.Add(kept);
            }

            return memory;
        }
    }

    /// <summary>Those who were online in the last life and have not come back are offline from now on.</summary>
    internal void Settle()
    {
        List<ulong> changed = [];
        lock (_lock)
        {
            foreach (var id in _settling)
                if (Update(id, node => node with { Online = false }))
                    changed.Add(id);
            _settling.Clear();
        }

        foreach (var id in changed)
            Changed?.Invoke(id);
    }

    /// <summary>Drops what is remembered of nodes that are no more.</summary>
    internal void Prune(Func<ulong, bool> exists)
    {
        ulong[] gone;
        lock (_lock)
            gone = [.. _current.Nodes.Keys.Union(_sightings.Keys).Where(id => !exists(id))];
        foreach (var id in gone)
            Forget(id);
    }

    private void Remember(PresenceMemory memory)
    {
        var nodes = ImmutableDictionary.CreateBuilder<ulong, NodePresence>();
        foreach (var node in memory.Nodes)
        {
            if (node.LastSeenMs > 0)
                _sightings[node.Id] = new Sighting(DateTimeOffset.FromUnixTimeMilliseconds(node.LastSeenMs), _started);
            if (node.Online)
                _settling.Add(node.Id);
            if (node.Online || node.Endpoints.Count > 0 || node.Version > 0)
            {
                nodes[node.Id] = new NodePresence
                {
                    NodeId = node.Id, Online = node.Online, Version = memory.IsLastWord ? node.Version : 0,
                    Endpoints = [.. node.Endpoints.Select(endpoint => new PresenceEndpoint(
                        new IPAddress(endpoint.Address.Span), (ushort)endpoint.Port, (EndpointSource)endpoint.Source))],
                };
            }
        }

        _current = new PresenceView(_firstVersion, nodes.ToImmutable());
    }
}
