using System.Security.Cryptography;
using Google.Protobuf;
using Mesh.Protocol.Control;

namespace Mesh.Protocol.Tests.Control;

public sealed class NextRootsTests
{
    [Fact]
    public void The_present_root_vouches_for_the_next_pin_and_nobody_else_does()
    {
        using var root = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] pin = RandomNumberGenerator.GetBytes(32), spki = root.ExportSubjectPublicKeyInfo();
        var next = NextRoots.Sign(root, pin);
        Assert.Equal(pin, next.Pin.ToByteArray());
        Assert.True(NextRoots.Verify(next, spki));
        Assert.False(NextRoots.Verify(next, other.ExportSubjectPublicKeyInfo()));
        Assert.False(NextRoots.Verify(NextRoots.Sign(other, pin), spki));
    }

    [Fact]
    public void Any_changed_bit_and_any_other_length_is_refused_without_an_exception()
    {
        using var root = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] spki = root.ExportSubjectPublicKeyInfo();
        var next = NextRoots.Sign(root, RandomNumberGenerator.GetBytes(32));
        for (int i = 0; i < 32 + 64; i++)
        {
            byte[] pin = next.Pin.ToByteArray(), signature = next.Signature.ToByteArray();
            if (i < 32) pin[i] ^= 0x10;
            else signature[i - 32] ^= 0x10;
            Assert.False(NextRoots.Verify(new NextRoot { Pin = ByteString.CopyFrom(pin), Signature = ByteString.CopyFrom(signature) }, spki));
        }
        Assert.False(NextRoots.Verify(new NextRoot(), spki));
        Assert.False(NextRoots.Verify(new NextRoot { Pin = next.Pin, Signature = ByteString.CopyFrom(next.Signature.Span[..63]) }, spki));
        Assert.False(NextRoots.Verify(new NextRoot { Pin = ByteString.CopyFrom(new byte[33]), Signature = next.Signature }, spki));
        Assert.False(NextRoots.Verify(next, [1, 2, 3]));
        Assert.False(NextRoots.Verify(next, []));
    }
}
