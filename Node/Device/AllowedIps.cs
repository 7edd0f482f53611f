using System.Numerics;

namespace Mesh.Node.Device;

/// <summary>
/// Which peer owns an address: longest prefix match over both families (the paper's cryptokey routing, section 2). A prefix
/// belongs to one peer; given to another, it moves. Two path-compressed binary tries. Looking up takes no lock and
/// allocates nothing, while one writer at a time changes the tries: a node is complete before the one reference store that
/// makes it reachable.
/// </summary>
public sealed class AllowedIps
{
    private readonly Lock _writer = new();
    private readonly Dictionary<Peer, Dictionary<IpPrefix, long>> _byPeer = [];
    private long _order;
    private TrieNode? _v4;
    private TrieNode? _v6;

    public Peer? Lookup(in IpAddressBits address)
    {
        TrieNode? node = Volatile.Read(ref address.IsV6 ? ref _v6 : ref _v4);
        Peer? best = null;
        while (node is not null && node.Covers(address.High, address.Low))
        {
            best = node.Owner ?? best;
            if (node.Length == address.Bits) break;
            node = node.Child(address.High, address.Low);
        }
        return best;
    }

    /// <summary>Gives the prefix to the peer, whoever had it.</summary>
    public void Set(in IpPrefix prefix, Peer peer)
    {
        ArgumentNullException.ThrowIfNull(peer);
        lock (_writer)
        {
            TrieNode node = Insert(ref prefix.Address.IsV6 ? ref _v6 : ref _v4, prefix);
            if (node.Owner is { } before)
            {
                if (before == peer) return;
                Forget(before, prefix);
            }
            node.Owner = peer;
            if (!_byPeer.TryGetValue(peer, out var prefixes)) _byPeer[peer] = prefixes = [];
            prefixes[prefix] = _order++;
        }
    }

    /// <summary>Takes the prefix from the peer, if it is the peer's.</summary>
    public bool Remove(in IpPrefix prefix, Peer peer)
    {
        lock (_writer)
        {
            if (!_byPeer.TryGetValue(peer, out var prefixes) || !prefixes.ContainsKey(prefix)) return false;
            Forget(peer, prefix);
            Delete(prefix);
            return true;
        }
    }

    public void RemoveAll(Peer peer)
    {
        lock (_writer)
        {
            if (!_byPeer.Remove(peer, out var prefixes)) return;
            foreach (IpPrefix prefix in prefixes.Keys) Delete(prefix);
        }
    }

    /// <summary>The peer's prefixes, in the order in which it was given them.</summary>
    public IReadOnlyList<IpPrefix> Of(Peer peer)
    {
        lock (_writer)
        {
            return _byPeer.TryGetValue(peer, out var prefixes)
                ? [.. prefixes.OrderBy(entry => entry.Value).Select(entry => entry.Key)]
                : [];
        }
    }

    private void Forget(Peer peer, in IpPrefix prefix)
    {
        var prefixes = _byPeer[peer];
        prefixes.Remove(prefix);
        if (prefixes.Count == 0) _byPeer.Remove(peer);
    }

    /// <summary>The node of exactly this prefix, made if need be.</summary>
    private static TrieNode Insert(ref TrieNode? root, in IpPrefix prefix)
    {
        ref TrieNode? link = ref root;
        ulong high = prefix.Address.High, low = prefix.Address.Low;
        while (true)
        {
            TrieNode? node = link;
            if (node is null)
            {
                var leaf = new TrieNode(high, low, prefix.Length);
                Volatile.Write(ref link, leaf);
                return leaf;
            }
            int common = Math.Min(CommonBits(node.High ^ high, node.Low ^ low), Math.Min(node.Length, prefix.Length));
            if (common == node.Length)
            {
                if (common == prefix.Length) return node;
                link = ref node.ChildLink(high, low);
                continue;
            }
            // The new prefix parts from the node's before the node's end: a node for what they share comes above.
            var fork = new IpPrefix(prefix.Address, common).Address;
            var above = new TrieNode(fork.High, fork.Low, common);
            above.ChildLink(node.High, node.Low) = node;
            TrieNode result = above;
            if (common < prefix.Length)
            {
                result = new TrieNode(high, low, prefix.Length);
                above.ChildLink(high, low) = result;
            }
            Volatile.Write(ref link, above);
            return result;
        }
    }

    /// <summary>Takes the owner from the prefix's node, and from the trie every node on the way that has no use any more.</summary>
    private void Delete(in IpPrefix prefix)
    {
        ref TrieNode? root = ref prefix.Address.IsV6 ? ref _v6 : ref _v4;
        Delete(ref root, prefix);
    }

    private static void Delete(ref TrieNode? link, in IpPrefix prefix)
    {
        TrieNode node = link!;
        if (node.Length == prefix.Length) node.Owner = null;
        else Delete(ref node.ChildLink(prefix.Address.High, prefix.Address.Low), prefix);
        if (node.Owner is null && (node.Zero is null || node.One is null)) Volatile.Write(ref link, node.Zero ?? node.One);
    }

    private static int CommonBits(ulong high, ulong low) =>
        high != 0 ? BitOperations.LeadingZeroCount(high) : 64 + BitOperations.LeadingZeroCount(low);

    private sealed class TrieNode(ulong high, ulong low, int length)
    {
        public readonly ulong High = high;
        public readonly ulong Low = low;
        public readonly int Length = length;
        private readonly ulong _highMask = length == 0 ? 0 : length >= 64 ? ulong.MaxValue : ulong.MaxValue << (64 - length);
        private readonly ulong _lowMask = length <= 64 ? 0 : ulong.MaxValue << (128 - length);
        private TrieNode? _zero;
        private TrieNode? _one;
        private Peer? _owner;

        public Peer? Owner
        {
            get => Volatile.Read(ref _owner);
            set => Volatile.Write(ref _owner, value);
        }

        public TrieNode? Zero => _zero;

        public TrieNode? One => _one;

        public bool Covers(ulong addressHigh, ulong addressLow) =>
            (((addressHigh ^ High) & _highMask) | ((addressLow ^ Low) & _lowMask)) == 0;

        public TrieNode? Child(ulong addressHigh, ulong addressLow) => Volatile.Read(ref ChildLink(addressHigh, addressLow));

        /// <summary>The link that an address goes on by: the bit behind this prefix.</summary>
        public ref TrieNode? ChildLink(ulong addressHigh, ulong addressLow)
        {
            ulong bit = Length < 64 ? addressHigh >> (63 - Length) : addressLow >> (127 - Length);
            return ref (bit & 1) == 0 ? ref _zero : ref _one;
        }
    }
}
