using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mesh.Crypto;

/// <summary>
/// Which implementation of the transport cipher this process uses, and why. The vectors are used where the processor has them,
/// the self-test passes, and nobody switched them off.
/// </summary>
/// <param name="Reason">For a log: a sentence without its full stop.</param>
/// <param name="IsFault">Somebody should look into it: the self-test failed, or the option can't be read.</param>
internal sealed record AeadChoice(AeadImplementation Implementation, string Reason, bool IsFault)
{
    public const string Variable = "MESH_AEAD";
    public const string Switch = "Mesh.Crypto.LibraryAead";

    private const string Library = "library";
    private const string Narrow = "vector256";

    /// <summary>Whether somebody switched the vectors off.</summary>
    public static bool WantsLibrary => Option() == Library;

    public static AeadChoice Make() => Decide(Option(), BestOfThisProcessor(), AeadSelfTest.Run);

    private static string? Option() =>
        AppContext.TryGetSwitch(Switch, out bool library) && library ? Library : Environment.GetEnvironmentVariable(Variable);

    /// <param name="option">"library"; "vector" or nothing, for the widest vectors; "vector256" for AVX2 also where there is AVX-512.</param>
    /// <param name="selfTest">What is wrong with an implementation; null for nothing.</param>
    public static AeadChoice Decide(string? option, AeadImplementation best, Func<AeadImplementation, string?> selfTest)
    {
        if (option == Library) return new(AeadImplementation.Library, "switched to the library", false);
        string? unread = option is null or "" or "vector" or Narrow ? null
            : $"{Variable} is none of \"{Library}\", \"vector\" and \"{Narrow}\" and was ignored";
        if (option == Narrow && best == AeadImplementation.Vector512) best = AeadImplementation.Vector256;
        if (best == AeadImplementation.Library)
            return new(best, unread ?? "this processor has no AVX2", unread is not null);
        if (selfTest(best) is { } fault)
            return new(AeadImplementation.Library, $"the self-test of {best} failed ({fault}), so the library is used; please report it", true);
        return new(best, unread ?? "the self-test passed", unread is not null);
    }

    private static AeadImplementation BestOfThisProcessor() =>
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported ? AeadImplementation.Vector512
        : Avx2.IsSupported ? AeadImplementation.Vector256
        : AeadImplementation.Library;
}
