using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Mesh.Coordinator.Hosting;
using Mesh.Coordinator.Log;
using Mesh.Protocol.Control;

namespace Mesh.Coordinator.Admin;

/// <summary>
/// What an administrator does about the root key. All of it works from elsewhere but one thing: the private key leaves through
/// the socket alone, since a stolen token would otherwise become the coordinator's identity for good.
/// </summary>
internal static class RootCalls
{
    /// <summary>Longer than any certificate that is taken.</summary>
    private const int MaxBase64Chars = 4096;

    public static ExportedRootModel Export(AdminContext admin, Caller caller)
    {
        if (caller.Actor.Kind != ActorKind.LocalAdmin)
        {
            throw new ProblemException(new Problem(403, ProblemType.LocalOnly, "Only on the coordinator's machine",
                "The root's private key leaves only through the admin socket. Run 'mesh-coordinator root export' with --state-dir on the coordinator's machine."));
        }
        byte[] key = admin.Keys.ExportRoot() ?? throw NotHere("nothing to export");
        try
        {
            return new ExportedRootModel(Convert.ToBase64String(key));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    public static void Remove(AdminContext admin, RemoveRootModel model)
    {
        if (!admin.Keys.TryRemoveRoot(Base64("signature", model.Signature)))
            throw new ProblemException(Problems.Invalid("signature", "is not the root's: the key stays until somebody shows that he has a copy of it"));
    }

    public static RootRequestModel Request(AdminContext admin) => new(
        Base64Url.EncodeToString(admin.Keys.Pin.Span), Convert.ToBase64String(admin.Keys.RequestIssuer()), Convert.ToBase64String(admin.Keys.Log.PublicKey),
        Convert.ToBase64String(admin.Keys.IssuerCertificate));

    public static void Renew(AdminContext admin, RenewIssuerModel model)
    {
        if (model.IssuerCertificate is not { } text)
        {
            if (!admin.Keys.TryRenewIssuer()) throw NotHere("name the file that it was exported to: root renew --key-file FILE");
        }
        else if (admin.Keys.AcceptIssuer(Base64("issuerCertificate", text)) is { } problem)
        {
            throw new ProblemException(Problems.Invalid("issuerCertificate", problem));
        }
    }

    public static void Announce(AdminContext admin, NextRootModel model)
    {
        switch (model)
        {
            case { RootCertificate: null, IssuerCertificate: null, LogCertificate: null, Signature: null }:
                if (!admin.Keys.TryMakeNext()) throw NotHere("name the file that it was exported to: root next --key-file FILE --new-key-file FILE");
                break;
            case { RootCertificate: { } root, IssuerCertificate: { } issuer, LogCertificate: { } log, Signature: { } signature }:
                if (admin.Keys.AcceptNext(
                    Base64("rootCertificate", root), Base64("issuerCertificate", issuer), Base64("logCertificate", log), Base64("signature", signature))
                    is var (part, problem)) throw new ProblemException(Problems.Invalid(part, problem));
                break;
            default:
                string missing = model.RootCertificate is null ? "rootCertificate" : model.IssuerCertificate is null ? "issuerCertificate"
                    : model.LogCertificate is null ? "logCertificate" : "signature";
                throw new ProblemException(Problems.Invalid(missing, "is missing: a next root that was made elsewhere comes with all four"));
        }
    }

    public static void Switch(AdminContext admin, SwitchRootModel model)
    {
        byte[] pin = new byte[CoordinatorTrust.PinBytes];
        if (model.Pin.Length != 43 || Base64Url.DecodeFromChars(model.Pin, pin, out _, out int length) != OperationStatus.Done || length != pin.Length)
            throw new ProblemException(Problems.Invalid("pin", "is not a pin of 43 characters"));
        if (!admin.Keys.TrySwitchRoot(pin))
        {
            throw new ProblemException(new Problem(409, ProblemType.Conflict, "Not the announced root",
                "No root with that pin is announced; 'mesh-coordinator root show' says which is.", "pin"));
        }
    }

    private static ProblemException NotHere(string remedy) => new(new Problem(
        409, ProblemType.Conflict, "Root key elsewhere", $"The root's private key is not on the coordinator; {remedy}."));

    private static byte[] Base64(string field, string text)
    {
        byte[] bytes = new byte[MaxBase64Chars];
        if (text.Length > MaxBase64Chars || !Convert.TryFromBase64String(text, bytes, out int length) || length == 0)
            throw new ProblemException(Problems.Invalid(field, $"is not base64 of at most {MaxBase64Chars} characters"));
        return bytes[..length];
    }
}
