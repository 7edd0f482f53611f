namespace Mesh.Crypto.Tests;

public sealed class CryptoLibrariesTests
{
    [Fact]
    public void A_machine_that_runs_these_tests_has_what_is_required() =>
        Assert.Null(Record.Exception(CryptoLibraries.Require));

    public static TheoryData<Exception> Missing =>
    [
        new DllNotFoundException("libx.so"),
        new EntryPointNotFoundException("x_new"),
        new TypeInitializationException("Native", new DllNotFoundException("libx.so")),
        new TypeInitializationException("Choice", new TypeInitializationException("Native", new DllNotFoundException("libx.so"))),
        new TypeInitializationException("Native", new CryptoUnavailableException("libx has no X")),
        new CryptoUnavailableException("libx has no X"),
    ];

    [Theory]
    [MemberData(nameof(Missing), DisableDiscoveryEnumeration = true)]
    public void What_is_missing_is_named_with_what_to_install(Exception failure)
    {
        var said = Assert.Throws<CryptoUnavailableException>(() => CryptoLibraries.Try("libx.so", "libx1", () => throw failure));
        Assert.Contains("libx", said.Message, StringComparison.Ordinal);
        Assert.Contains("install libx1", said.Message, StringComparison.Ordinal);
        Assert.Same(failure, said.InnerException);
    }

    [Fact]
    public void Other_failures_pass_through() =>
        Assert.Throws<InvalidOperationException>(() => CryptoLibraries.Try("libx.so", "libx1", () => throw new InvalidOperationException()));
}
