using System.Security.Cryptography.X509Certificates;
using Mesh.Coordinator.Cli;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Coordinator.Trust;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Tests.Trust;

public sealed class CoordinatorKeysTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly ManualClock _clock = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_leaf_leads_to_the_pin()
    {
        using var state = StateDirectory.Open(_directory);
        using var keys = CoordinatorKeys.Open(state, _clock);
        Assert.Equal(TrustVerdict.Trusted, Judge(keys));
    }

    [Fact]
    public void Keys_and_pin_survive_a_restart()
    {
        byte[] pin;
        using (var state = StateDirectory.Open(_directory))
        using (var keys = CoordinatorKeys.Open(state, _clock)) pin = keys.Pin.ToArray();
        using var again = StateDirectory.Open(_directory);
        using var reopened = CoordinatorKeys.Open(again, _clock);
        Assert.Equal(pin, reopened.Pin.ToArray());
        Assert.Equal(TrustVerdict.Trusted, CoordinatorTrust.Judge(reopened.ServerCertificate().TargetCertificate, pin, _clock.GetUtcNow(), out _));
    }

    [Fact]
    public void A_leaf_is_renewed_after_half_a_day_and_the_issuer_two_months_before_its_end()
    {
        using var state = StateDirectory.Open(_directory);
        using var keys = CoordinatorKeys.Open(state, _clock);
        string first = keys.ServerCertificate().TargetCertificate.Thumbprint;
        _clock.Advance(TimeSpan.FromHours(11));
        Assert.Equal(first, keys.ServerCertificate().TargetCertificate.Thumbprint);
        _clock.Advance(TimeSpan.FromHours(2));
        Assert.NotEqual(first, keys.ServerCertificate().TargetCertificate.Thumbprint);

        var expiry = keys.IssuerExpires;
        _clock.Advance(TimeSpan.FromDays(310));
        Assert.Equal(TrustVerdict.Trusted, Judge(keys));
        Assert.True(keys.IssuerExpires > expiry);
    }

    [Fact]
    public void A_clock_that_fell_back_gets_a_leaf_that_is_good_there()
    {
        using var state = StateDirectory.Open(_directory);
        using var keys = CoordinatorKeys.Open(state, _clock);
        keys.ServerCertificate();
        _clock.Jump(TimeSpan.FromHours(-5));
        Assert.Equal(TrustVerdict.Trusted, Judge(keys));
    }

    [Fact]
    public void Without_the_root_key_everything_works_on_under_the_same_issuer()
    {
        using (var state = StateDirectory.Open(_directory))
        using (CoordinatorKeys.Open(state, _clock)) File.Delete(state.File("root.key"));
        using var again = StateDirectory.Open(_directory);
        using var keys = CoordinatorKeys.Open(again, _clock);
        Assert.False(keys.HoldsRootKey);
        Assert.Equal(TrustVerdict.Trusted, Judge(keys));
    }

    [Fact]
    public void The_log_keys_certificate_is_vouched_for_by_the_root()
    {
        using var state = StateDirectory.Open(_directory);
        using var keys = CoordinatorKeys.Open(state, _clock);
        var network = NetworkId.New();
        var head = keys.Log.Sign(network, new LogPoint(7, Bytes32.Sha256Of([1]))).ToMessage();
        byte[] root = keys.RootCertificate.PublicKey.ExportSubjectPublicKeyInfo();
        Assert.Equal(LogHeadVerdict.Valid, LogHeads.Verify(head, network.ToArray(), root));
        head.Position = 8;
        Assert.Equal(LogHeadVerdict.BadSignature, LogHeads.Verify(head, network.ToArray(), root));
    }

    [Theory]
    [InlineData("root.crt")]
    [InlineData("root.key")]
    [InlineData("issuer.crt")]
    [InlineData("log.key")]
    public void A_damaged_file_is_named_and_left_alone(string file)
    {
        using (var state = StateDirectory.Open(_directory))
        using (CoordinatorKeys.Open(state, _clock)) File.WriteAllBytes(state.File(file), [1, 2, 3]);
        using var again = StateDirectory.Open(_directory);
        var failure = Assert.Throws<StartFailure>(() => CoordinatorKeys.Open(again, _clock));
        Assert.Equal(ExitCode.StateDamaged, failure.ExitCode);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(again.File(file)));
    }

    [Fact]
    public void A_lost_root_certificate_never_makes_a_new_root()
    {
        using (var state = StateDirectory.Open(_directory))
        using (CoordinatorKeys.Open(state, _clock))
        {
            File.Delete(state.File("root.crt"));
            File.Delete(state.File("root.key"));
        }
        using var again = StateDirectory.Open(_directory);
        Assert.Equal(ExitCode.StateDamaged, Assert.Throws<StartFailure>(() => CoordinatorKeys.Open(again, _clock)).ExitCode);
        Assert.False(File.Exists(again.File("root.key")));
    }

    [Fact]
    public void Every_key_file_is_for_its_owner_alone()
    {
        using var state = StateDirectory.Open(_directory);
        using var keys = CoordinatorKeys.Open(state, _clock);
        foreach (string file in Directory.GetFiles(_directory))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    private TrustVerdict Judge(CoordinatorKeys keys) =>
        CoordinatorTrust.Judge(keys.ServerCertificate().TargetCertificate, keys.Pin.Span, _clock.GetUtcNow(), out _);
}
