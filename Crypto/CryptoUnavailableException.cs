namespace Mesh.Crypto;

/// <summary>The system's cryptographic libraries are missing or refuse to work: nothing can go on.</summary>
public sealed class CryptoUnavailableException(string message, Exception? cause = null)
    : Exception(message, cause);
