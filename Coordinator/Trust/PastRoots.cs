using Mesh.Coordinator.Hosting;

namespace Mesh.Coordinator.Trust;

/// <summary>
/// The roots that came before the present one, oldest first: their public keys are needed to check what was signed under
/// them. The file "past-roots" is a row of SubjectPublicKeyInfos of 91 bytes each.
/// </summary>
internal static class PastRoots
{
    public const string FileName = "past-roots";

    /// <exception cref="InvalidDataException">The file has another length.</exception>
    public static IReadOnlyList<byte[]> Split(byte[]? file)
    {
        if (file is null) return [];
        if (file.Length % MachineCertificate.SpkiBytes != 0) throw new InvalidDataException($"{FileName} is cut off");
        return [.. file.Chunk(MachineCertificate.SpkiBytes)];
    }

    public static IReadOnlyList<byte[]> Read(StateDirectory state) => Split(state.TryRead(FileName));
}
