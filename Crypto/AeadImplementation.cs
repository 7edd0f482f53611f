namespace Mesh.Crypto;

/// <summary>What carries <see cref="TransportAead"/> out.</summary>
public enum AeadImplementation
{
    /// <summary>libcrypto, packet by packet.</summary>
    Library,

    /// <summary>This project's vectors in AVX2.</summary>
    Vector256,

    /// <summary>This project's vectors in AVX-512.</summary>
    Vector512,
}
