using System.Collections.Immutable;
using System.Net;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Presence;
using Mesh.Protocol.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mesh.Coordinator.Tests.Presence;

/// <summary>What one life of the coordinator remembers of the one before, and what it must not.</summary>
public sealed class PresenceKeeperTests : IDisposable
{
    private static readonly byte[] Boot = new byte[16];
    private static readonly ImmutableArray<PresenceEndpoint> Home = [new(IPAddress.Parse("192.0.2.1"), 41641, EndpointSource.Local)];

    private readonly TemporaryDirectory _directory = new();
    private readonly ManualClock _clock = new();
    private readonly NetworkId _network = NetworkId.New();
    private readonly byte[] _dataKey = System.Security.Cryptography.RandomNumberGenerator.GetBytes(DataKey.Length);

    private string FilePath => Path.Combine(_directory, "presence.bin");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void After_an_orderly_end_the_epoch_goes_on_and_who_comes_back_unchanged_changes_nothing()
    {
        ulong epoch;
        long version;
        using (var before = Open())
        {
            before.Presence.Report(1, Boot, Home);
            before.Presence.Connect(1, Boot);
            before.Presence.Report(2, Boot, Home);
            (epoch, version) = (before.Presence.Epoch, before.Presence.Current.Version);
            before.SaveLastWord();
            before.Presence.Connect(3, Boot); // After the last word nothing counts.
        }

        using var after = Open();
        var presence = after.Presence;
        Assert.Equal((epoch, version), (presence.Epoch, presence.Current.Version));
        using var session = presence.Connect(1, Boot);
        presence.Report(1, Boot, Home);
        Assert.Equal(version, presence.Current.Version);
        Assert.Empty(presence.ChangedBetween(version, version)!);
        Assert.Equal([2UL], presence.ChangedBetween(version - 1, version)!);
        Assert.Null(presence.Current.Find(3));
    }

    [Fact]
    public void The_last_word_is_taken_up_once()
    {
        ulong epoch;
        using (var before = Open())
        {
            before.Presence.Report(1, Boot, Home);
            epoch = before.Presence.Epoch;
            before.SaveLastWord();
        }

        using (var killed = Open()) // Ends without a word, as a killed process does.
            Assert.Equal(epoch, killed.Presence.Epoch);
        using var after = Open();
        Assert.NotEqual(epoch, after.Presence.Epoch);
        Assert.Equal(Home, after.Presence.Current.Find(1)!.Endpoints);
    }

    [Fact]
    public void Last_seen_and_endpoints_are_stored_every_five_minutes()
    {
        DateTimeOffset seen;
        using (var killed = Open())
        {
            killed.Presence.Report(1, Boot, Home);
            seen = _clock.GetUtcNow();
            _clock.Advance(PresenceKeeper.SaveInterval);
            killed.Presence.Report(2, Boot, Home); // After the save; lost, and no harm.
        }

        _clock.Advance(TimeSpan.FromHours(3));
        using var after = Open();
        Assert.Equal(seen, after.Presence.LastSeen(1));
        Assert.Equal(Home, after.Presence.Current.Find(1)!.Endpoints);
        Assert.Null(after.Presence.LastSeen(2));
        // Absence is counted from this life's start alone.
        Assert.Equal(TimeSpan.Zero, after.Presence.AbsentFor(1));
    }

    [Fact]
    public void Who_was_online_and_does_not_come_back_is_offline_when_it_has_settled()
    {
        using (var before = Open())
        {
            before.Presence.Connect(1, Boot);
            before.Presence.Connect(2, Boot);
            before.SaveLastWord();
        }

        using var after = Open();
        List<ulong> changed = [];
        after.Presence.Changed += changed.Add;
        using var session = after.Presence.Connect(1, Boot);
        _clock.Advance(PresenceKeeper.SettlingTime);
        Assert.True(after.Presence.Current.IsOnline(1));
        Assert.False(after.Presence.Current.IsOnline(2));
        Assert.Equal([2UL], changed);
    }

    [Fact]
    public void Nodes_that_are_no_more_are_not_remembered()
    {
        using (var before = Open())
        {
            before.Presence.Report(1, Boot, Home);
            before.SaveLastWord();
        }

        using var after = Open(exists: id => id != 1);
        Assert.Null(after.Presence.Current.Find(1));
        Assert.Null(after.Presence.LastSeen(1));
    }

    [Fact]
    public void A_file_that_is_damaged_anywhere_or_of_another_network_is_passed_over_and_says_nothing_in_the_clear()
    {
        using (var before = Open())
        {
            before.Presence.Report(1, Boot, Home);
            before.SaveLastWord();
        }

        var whole = File.ReadAllBytes(FilePath);
        Assert.Equal(-1, whole.AsSpan().IndexOf(Home[0].Address.GetAddressBytes()));
        for (var i = 0; i < whole.Length; i++)
        {
            var damaged = whole.ToArray();
            damaged[i] ^= 1;
            File.WriteAllBytes(FilePath, damaged);
            using var after = Open();
            Assert.Null(after.Presence.Current.Find(1));
        }

        File.WriteAllBytes(FilePath, whole[..10]);
        using (var cut = Open())
            Assert.Null(cut.Presence.Current.Find(1));
        File.WriteAllBytes(FilePath, whole);
        using var other = new PresenceKeeper(FilePath, new PayloadSealer(NetworkId.New(), new DataKey(_dataKey)), _clock, NullLogger.Instance);
        Assert.Null(other.Presence.Current.Find(1));
    }

    private PresenceKeeper Open(Func<ulong, bool>? exists = null)
    {
        var keeper = new PresenceKeeper(FilePath, new PayloadSealer(_network, new DataKey(_dataKey)), _clock, NullLogger.Instance);
        keeper.Start(exists ?? (_ => true));
        return keeper;
    }
}
