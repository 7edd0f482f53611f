using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto.Tests;

public sealed class AeadChoiceTests
{
    [Theory]
    [InlineData(null, AeadImplementation.Vector256, AeadImplementation.Vector256, false)]
    [InlineData("", AeadImplementation.Vector512, AeadImplementation.Vector512, false)]
    [InlineData("vector", AeadImplementation.Vector256, AeadImplementation.Vector256, false)]
    [InlineData("vector256", AeadImplementation.Vector512, AeadImplementation.Vector256, false)]
    [InlineData("vector256", AeadImplementation.Library, AeadImplementation.Library, false)]
    [InlineData("library", AeadImplementation.Vector512, AeadImplementation.Library, false)]
    [InlineData("vector", AeadImplementation.Library, AeadImplementation.Library, false)]
    [InlineData("Library", AeadImplementation.Vector256, AeadImplementation.Vector256, true)]
    [InlineData("off", AeadImplementation.Library, AeadImplementation.Library, true)]
    public void The_option_decides_among_what_the_processor_has(string? option, AeadImplementation best, AeadImplementation expected, bool fault)
    {
        AeadChoice choice = AeadChoice.Decide(option, best, _ => null);
        Assert.Equal(expected, choice.Implementation);
        Assert.Equal(fault, choice.IsFault);
        Assert.Equal(fault, choice.Reason.Contains("MESH_AEAD", StringComparison.Ordinal));
    }

    [Fact]
    public void A_failed_self_test_leads_to_the_library_and_says_so()
    {
        AeadChoice choice = AeadChoice.Decide(null, AeadImplementation.Vector256, _ => "sealing");
        Assert.Equal(AeadImplementation.Library, choice.Implementation);
        Assert.True(choice.IsFault);
        Assert.Contains("self-test of Vector256 failed (sealing)", choice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_switched_off_is_not_tested() =>
        Assert.Equal(AeadImplementation.Library, AeadChoice.Decide("library", AeadImplementation.Vector256, _ => throw new InvalidOperationException()).Implementation);

    [Theory, MemberData(nameof(AeadModes.All), MemberType = typeof(AeadModes))]
    public void The_self_test_passes(AeadImplementation mode)
    {
        AeadModes.Need(mode);
        Assert.Null(AeadSelfTest.Run(mode));
    }

    [Fact]
    public void This_process_uses_what_its_processor_has()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(AeadChoice.Variable) is { Length: > 0 }, "the environment chooses");
        Assert.Equal(Avx2.IsSupported, TransportAead.Implementation != AeadImplementation.Library);
        Assert.False(TransportAead.IsFault, TransportAead.Reason);
    }
}
