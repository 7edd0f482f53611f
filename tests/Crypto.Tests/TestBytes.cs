namespace Mesh.Crypto.Tests;

internal static class TestBytes
{
    /// <summary>first, first + 1, ... modulo 256.</summary>
    public static byte[] Counting(int length, int first = 0)
    {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = (byte)(first + i);
        return bytes;
    }

    public static byte[] Hex(string text) => Convert.FromHexString(text);

    /// <summary>Compared as hexadecimal, so that a failure can be read.</summary>
    public static void AssertHex(string expected, ReadOnlySpan<byte> actual) =>
        Assert.Equal(expected, Convert.ToHexStringLower(actual));
}
