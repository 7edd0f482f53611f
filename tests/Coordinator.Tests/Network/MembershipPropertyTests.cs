using Mesh.Coordinator.Network;
using Mesh.Crypto;
using static Mesh.Coordinator.Tests.Network.TestNetwork;

namespace Mesh.Coordinator.Tests.Network;

/// <summary>
/// Random lives of one machine in a network, beside a deliberately naive account of what it should be: in, waiting or out, whose,
/// until when, under which keys. Its id, name and addresses must never change while it is not deleted.
/// </summary>
public sealed class MembershipPropertyTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_machine_is_what_the_naive_account_says_after_every_step(int seed)
    {
        await using var network = await CreateAsync();
        var user = await network.DoAsync(new CreateUser("ann"));
        var random = new Random(seed);
        var machine = NewMachineKey();
        var naive = new Naive();
        for (int step = 0; step < 400; step++)
        {
            string what = await StepAsync(network, machine, user, naive, random);
            naive.Tick(network.Clock.GetUtcNow());
            Assert.True(naive.Equals(network.State.FindNode(machine), network.Clock.GetUtcNow()), $"seed {seed}, step {step}: {what}\nnaive: {naive}\nnode:  {network.State.FindNode(machine)}");
            await using var other = step % 100 == 99 ? await network.OpenAnotherAsync() : null;
            if (other is not null) Assert.Equal(Describe(network.State), Describe(other.State));
        }
        Assert.InRange(naive.Lives, 2, 400);
    }

#pragma warning disable CA5394
    private static async Task<string> StepAsync(TestNetwork network, MachineKey machine, User user, Naive naive, Random random)
    {
        var id = network.State.FindNode(machine)?.Id ?? 77;
        var now = network.Clock.GetUtcNow();
        switch (random.Next(14))
        {
            case 0 or 1 or 2:
                bool tagged = random.Next(3) == 0, preApproved = random.Next(3) == 0, owned = random.Next(2) == 0;
                var key = await network.NewKeyAsync(new CreatePreAuthKey { User = owned ? "ann" : "", Tags = tagged ? ["tag:a"] : [], PreApproved = preApproved });
                var nodeKey = NewNodeKey();
                await network.DoAsync(Registering("web", key, machine, nodeKey));
                naive.RegisterWithKey(nodeKey, tagged || !owned ? 0 : user.Id, tagged ? "tag:a" : "", preApproved || !network.State.Settings.ApprovalRequired, network.State.Settings.NodeLifetime, now);
                return "register with a key";
            case 3:
                nodeKey = NewNodeKey();
                await Try(network, Registering("web", null, machine, nodeKey), expectRefusal: !(naive.IsIn || naive.IsWaiting));
                naive.RegisterWithout(nodeKey);
                return "register without a key";
            case 4 or 5:
                nodeKey = NewNodeKey();
                owned = random.Next(2) == 0;
                await network.DoAsync(new ApproveMachine { MachineKey = machine, NodeKey = nodeKey, User = owned ? "ann" : "" });
                naive.Approve(nodeKey, owned ? user.Id : null, network.State.Settings.NodeLifetime, now);
                return "approve";
            case 6:
                nodeKey = NewNodeKey();
                await Try(network, new RotateNodeKey(id, nodeKey), expectRefusal: !naive.IsIn || naive.Previous is not null);
                naive.Rotate(nodeKey);
                return "rotate";
            case 7:
                await Try(network, new RetirePreviousNodeKey(id, naive.Previous ?? default), expectRefusal: false);
                naive.Previous = null;
                return "retire";
            case 8:
                await Try(network, new LogoutNode(id), expectRefusal: !naive.Exists);
                naive.LogOut();
                return "log out";
            case 9 when random.Next(4) == 0:
                await Try(network, new DeleteNode(id), expectRefusal: !naive.Exists);
                naive.Delete();
                return "delete";
            case 10:
                var end = random.Next(4) switch { 0 => (DateTimeOffset?)null, 1 => now, _ => now.AddDays(random.Next(1, 200)) };
                await Try(network, new SetNodeExpiry(id, end), expectRefusal: !naive.Exists);
                naive.SetExpiry(end, now);
                return $"expire at {end}";
            case 11:
                network.Clock.Advance(TimeSpan.FromDays(random.Next(1, 60)));
                await network.DoAsync(new NoteExpiry(id));
                return "time passes";
            case 12:
                await network.DoAsync(new ChangeSettings(random.Next(2) == 0, TimeSpan.FromDays(random.Next(0, 100)), null));
                return "settings";
            default:
                await Try(network, new TagNode(id, ["tag:b"]), expectRefusal: !naive.Exists);
                naive.Tag();
                return "tag";
        }
    }
#pragma warning restore CA5394

    private static async Task Try<T>(TestNetwork network, ICommand<T> command, bool expectRefusal)
    {
        if (expectRefusal) await Assert.ThrowsAsync<CommandRefusedException>(async () => await network.DoAsync(command));
        else await network.DoAsync(command);
    }

    private sealed class Naive
    {
        private ulong _id;
        private string _name = "";
        private bool _approved, _loggedOut, _expired;
        private string _tags = "";
        private ulong _owner;
        private DateTimeOffset? _end;
        private X25519PublicKey _key;

        public bool Exists { get; private set; }

        public X25519PublicKey? Previous { get; set; }

        public int Lives { get; private set; }

        public bool IsIn => Exists && _approved && !_loggedOut && !_expired;

        public bool IsWaiting => Exists && !_approved && !_loggedOut && !_expired;

        public void Tick(DateTimeOffset now)
        {
            if (!(_end <= now) || _expired) return;
            _expired = true;
            Previous = null;
        }

        public void RegisterWithKey(X25519PublicKey key, ulong owner, string tags, bool letIn, TimeSpan? lifetime, DateTimeOffset now)
        {
            if (IsIn || IsWaiting) ChangeKey(key);
            else Begin(key, owner, tags, _approved && Exists || letIn, lifetime, now);
        }

        public void RegisterWithout(X25519PublicKey key)
        {
            if (IsIn || IsWaiting) ChangeKey(key);
        }

        public void Approve(X25519PublicKey key, ulong? owner, TimeSpan? lifetime, DateTimeOffset now)
        {
            if (IsIn) return;
            ulong whose = owner ?? (Exists ? _owner : 0);
            Begin(IsWaiting ? _key : key, whose, owner is null && Exists ? _tags : "", true, lifetime, now);
        }

        public void Rotate(X25519PublicKey key)
        {
            if (IsIn && Previous is null) (Previous, _key) = (_key, key);
        }

        public void LogOut()
        {
            if (!Exists) return;
            _loggedOut = true;
            Previous = null;
        }

        public void Delete() => (Exists, _approved, _loggedOut, _expired, Previous, _tags, _owner, _end) = (false, false, false, false, null, "", 0, null);

        public void SetExpiry(DateTimeOffset? end, DateTimeOffset now)
        {
            if (!Exists || (_expired && end <= now)) return;
            _end = end;
            _expired = end <= now;
            if (_expired) Previous = null;
        }

        public void Tag()
        {
            if (!Exists || _tags == "tag:b") return;
            (_tags, _owner, _end, _expired) = ("tag:b", 0, null, false);
        }

        public bool Equals(Node? node, DateTimeOffset now)
        {
            if (!Exists || node is null) return !Exists && node is null;
            if (_id == 0) (_id, _name, Lives) = (node.Id, node.Name, Lives + 1);
            return node.Id == _id && node.Name == _name && node.IsMember(now) == IsIn && node.IsWaiting == IsWaiting && node.OwnerId == _owner
                && string.Join(' ', node.Tags) == _tags && Nullable.Equals(node.ExpiresAt, _end) && node.NodeKey == _key && Nullable.Equals(node.PreviousNodeKey, Previous)
                && (node.OwnerId == 0 || node.Tags.IsEmpty);
        }

        public override string ToString() => $"exists {Exists} in {IsIn} waiting {IsWaiting} owner {_owner} tags {_tags} until {_end} key {_key} previous {Previous}";

        private void ChangeKey(X25519PublicKey key) => (_key, Previous) = (key, null);

        private void Begin(X25519PublicKey key, ulong owner, string tags, bool letIn, TimeSpan? lifetime, DateTimeOffset now)
        {
            if (!Exists) _id = 0;
            (Exists, _approved, _loggedOut, _expired, _owner, _tags, _key, Previous) = (true, letIn, false, false, owner, tags, key, null);
            _end = owner == 0 ? null : now + lifetime;
        }
    }
}
