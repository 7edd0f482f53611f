using System.Numerics;
using System.Runtime.InteropServices;

namespace Mesh.Node.Device;

/// <summary>
/// Which peer owns an address: longest prefix match over both families (the paper's cryptokey routing, section 2). A prefix
/// belongs to one peer; given to another, it moves. Two path-compressed binary tries. Looking up takes no lock and
/// allocates nothing, on any number of threads, while one writer at a time changes the tries: a node is complete before the
/// one reference store that makes it reachable.
/// </summary>
public sealed class AllowedIps
{
    private readonly Lock _writer = new();

    /// <summary>A peer's prefixes, in the order in which it was given them: its nodes are linked, so that a peer costs little.</summary>
    private readonly Dictionary<Peer, (TrieNode First, TrieNode Last)> _byPeer = [];
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
            if (node.Owner == peer) return;
            if (node.Owner is not null) Unlink(node);
            node.Owner = peer;
            Link(node, peer);
        }
    }

    /// <summary>Takes the prefix from the peer, if it is the peer's.</summary>
    public bool Remove(in IpPrefix prefix, Peer peer)
    {
        lock (_writer)
        {
            if (FindNode(prefix) is not { } node || node.Owner != peer) return false;
            Unlink(node);
            Delete(prefix);
            return true;
        }
    }

    public void RemoveAll(Peer peer)
    {
        lock (_writer)
        {
            if (!_byPeer.Remove(peer, out var nodes)) return;
            // Deleting takes out this node and others without an owner, so never one that is still to come.
            for (TrieNode? node = nodes.First; node is not null; node = node.Next) Delete(node.Prefix);
        }
    }

    /// <summary>The peer's prefixes, in the order in which it was given them.</summary>
    public IReadOnlyList<IpPrefix> Of(Peer peer)
    {
        lock (_writer)
        {
            var prefixes = new List<IpPrefix>();
            if (_byPeer.TryGetValue(peer, out var nodes))
                for (TrieNode? node = nodes.First; node is not null; node = node.Next) prefixes.Add(node.Prefix);
            return prefixes;
        }
    }

    private void Link(TrieNode node, Peer owner)
    {
        ref var nodes = ref CollectionsMarshal.GetValueRefOrAddDefault(_byPeer, owner, out bool exists);
        (node.Before, node.Next) = (exists ? nodes.Last : null, null);
        if (exists) nodes.Last.Next = node;
        nodes = (exists ? nodes.First : node, node);
    }

    private void Unlink(TrieNode node)
    {
        Peer owner = node.Owner!;
        ref var nodes = ref CollectionsMarshal.GetValueRefOrNullRef(_byPeer, owner);
        (TrieNode? before, TrieNode? next) = (node.Before, node.Next);
        (node.Before, node.Next) = (null, null);
        if (before is null && next is null)
        {
            _byPeer.Remove(owner);
            return;
        }
        if (before is null) nodes.First = next!;
        else before.Next = next;
        if (next is null) nodes.Last = before!;
        else next.Before = before;
    }

    private TrieNode? FindNode(in IpPrefix prefix)
    {
        (ulong high, ulong low) = (prefix.Address.High, prefix.Address.Low);
        TrieNode? node = prefix.Address.IsV6 ? _v6 : _v4;
        while (node is not null && node.Length < prefix.Length && node.Covers(high, low)) node = node.Child(high, low);
        return node is not null && node.Length == prefix.Length && node.Covers(high, low) ? node : null;
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
                var leaf = new TrieNode(prefix.Address, prefix.Length);
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
            var above = new TrieNode(fork, common);
            above.ChildLink(node.High, node.Low) = node;
            TrieNode result = above;
            if (common < prefix.Length)
            {
                result = new TrieNode(prefix.Address, prefix.Length);
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

    private sealed class TrieNode(in IpAddressBits address, int length)
    {
        public readonly ulong High = address.High;
        public readonly ulong Low = address.Low;
        public readonly bool IsV6 = address.IsV6;
        public readonly int Length = length;
        private readonly ulong _highMask = length == 0 ? 0 : length >= 64 ? ulong.MaxValue : ulong.MaxValue << (64 - length);
        private readonly ulong _lowMask = length <= 64 ? 0 : ulong.MaxValue << (128 - length);
        private TrieNode? _zero;
        private TrieNode? _one;
        private Peer? _owner;

        /// <summary>The owner's other prefixes, given before and after this one; the writer's alone.</summary>
        public TrieNode? Before;
        public TrieNode? Next;

        public IpPrefix Prefix => new(new IpAddressBits(IsV6, High, Low), Length);

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
