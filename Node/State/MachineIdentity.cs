using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Mesh.Node.Cli;

namespace Mesh.Node.State;

/// <summary>
/// Who this machine is to a coordinator: an ECDSA P-256 key, shown as a self-signed client certificate. The identity is
/// the key; the certificate is only its wrapping, made afresh at every start.
/// </summary>
public sealed class MachineIdentity : IDisposable
{
    private MachineIdentity(X509Certificate2 certificate)
    {
        Certificate = certificate;
        Spki = certificate.PublicKey.ExportSubjectPublicKeyInfo();
    }

    /// <summary>With its private key. Owned by this object.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>DER SubjectPublicKeyInfo.</summary>
    public ReadOnlyMemory<byte> Spki { get; }

    /// <summary>Reads the machine key, or makes it when there is none.</summary>
    /// <exception cref="UserException">The file is damaged or can't be read.</exception>
    public static MachineIdentity LoadOrCreate(StateDirectory state)
    {
        byte[]? pem = AtomicFile.Read(state.MachineKeyPath, 4096);
        if (pem is null) return CreateIn(state.MachineKeyPath);
        char[] text = Encoding.ASCII.GetChars(pem);
        try
        {
            using var key = ECDsa.Create();
            key.ImportFromPem(text);
            if (key.KeySize != 256) throw new CryptographicException("not a P-256 key");
            return new MachineIdentity(Wrap(key));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new UserException(ExitCode.StateUnusable, $"the machine key {state.MachineKeyPath} is damaged",
                "Restore it from a backup, or remove it and join again with a new link.", e);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pem);
            Array.Clear(text);
        }
    }

    /// <summary>A machine that nothing on disk remembers.</summary>
    internal static MachineIdentity CreateUnsaved()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new MachineIdentity(Wrap(key));
    }

    public void Dispose() => Certificate.Dispose();

    private static MachineIdentity CreateIn(string path)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] pkcs8 = key.ExportPkcs8PrivateKey();
        char[] text = PemEncoding.Write("PRIVATE KEY", pkcs8);
        byte[] pem = Encoding.ASCII.GetBytes(text);
        try
        {
            AtomicFile.Write(path, pem);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(pkcs8);
            CryptographicOperations.ZeroMemory(pem);
            Array.Clear(text);
        }
        return new MachineIdentity(Wrap(key));
    }

    // No times that a wrong clock could make invalid, and no name that would tell a stranger anything.
    private static X509Certificate2 Wrap(ECDsa key)
    {
        var request = new CertificateRequest("CN=mesh machine", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2")], false));
        return request.CreateSelfSigned(
            new DateTimeOffset(2000, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(9999, 12, 31, 23, 59, 59, TimeSpan.Zero));
    }
}
