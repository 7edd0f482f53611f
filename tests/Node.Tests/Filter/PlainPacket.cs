using System.Net;

namespace Mesh.Node.Tests.Filter;

/// <summary>A packet read as RFC 791, 792, 8200 and 4443 say, with no thought of speed; null where a filter must refuse it.</summary>
internal sealed class PlainPacket
{
    public required bool IsV6 { get; init; }

    public required IPAddress From { get; init; }

    public required IPAddress To { get; init; }

    public int Protocol { get; private set; }

    public uint? FragmentId { get; private set; }

    public int FragmentOffset { get; private set; }

    public bool IsLater => FragmentId is not null && FragmentOffset > 0;

    /// <summary>Bytes of the fragmentable part that headers take.</summary>
    public int Judged { get; private set; }

    public int FromPort { get; private set; }

    public int ToPort { get; private set; }

    public int EchoId { get; private set; }

    public int Flags { get; private set; }

    public int IcmpType { get; private set; } = -1;

    public PlainPacket? Quote { get; private set; }

    public bool IsIcmp => IcmpType >= 0;

    public bool IsOpening => Protocol == 6 && (Flags & 18) == 2;

    public bool IsReset => (Flags & 4) != 0;

    public bool IsFin => (Flags & 1) != 0;

    public bool IsEchoRequest => IcmpType == (IsV6 ? 128 : 8);

    public bool IsEchoReply => IcmpType == (IsV6 ? 129 : 0);

    public bool IsError => IsIcmp && (IsV6 ? IcmpType < 128 : IcmpType is 3 or 11 or 12);

    public bool IsLinkMessage => IsIcmp && (IsV6
        ? IcmpType is 130 or 131 or 132 or 133 or 134 or 135 or 136 or 137 or 141 or 142 or 143 or 148 or 149 or 151 or 152 or 153
        : IcmpType is 4 or 5 or 9 or 10);

    /// <param name="quoted">In an ICMP error, which quotes 8 bytes of what is behind the IP header, or more.</param>
    public static PlainPacket? Read(byte[] bytes, bool quoted)
    {
        if (bytes.Length == 0) return null;
        return (bytes[0] >> 4) switch
        {
            4 => ReadV4(bytes, quoted),
            6 => ReadV6(bytes, quoted),
            _ => null,
        };
    }

    private static PlainPacket? ReadV4(byte[] bytes, bool quoted)
    {
        int header = (bytes[0] & 15) * 4;
        if (header < 20 || bytes.Length < header) return null;
        for (int i = 20; i < header && bytes[i] != 0;)
        {
            if (bytes[i] is 131 or 137) return null;
            if (bytes[i] == 1)
            {
                i++;
                continue;
            }
            if (i + 1 >= header || bytes[i + 1] < 2 || i + bytes[i + 1] > header) return null;
            i += bytes[i + 1];
        }
        var packet = new PlainPacket { IsV6 = false, From = new IPAddress(bytes[12..16]), To = new IPAddress(bytes[16..20]), Protocol = bytes[9] };
        int fragment = bytes[6] << 8 | bytes[7];
        if ((fragment & 0x3fff) != 0)
        {
            packet.FragmentId = (uint)(bytes[4] << 8 | bytes[5]);
            packet.FragmentOffset = (fragment & 0x1fff) * 8;
        }
        return packet.IsLater || packet.ReadRest(bytes[header..], before: 0, quoted) ? packet : null;
    }

    private static PlainPacket? ReadV6(byte[] bytes, bool quoted)
    {
        if (bytes.Length < 40) return null;
        var packet = new PlainPacket { IsV6 = true, From = new IPAddress(bytes[8..24]), To = new IPAddress(bytes[24..40]) };
        int next = bytes[6], at = 40, start = 40, headers = 0;
        bool fragmentSeen = false;
        while (next is 0 or 43 or 44 or 60)
        {
            if (++headers > 8 || bytes.Length < at + 8) return null;
            int length = 8 + (next == 44 ? 0 : bytes[at + 1] * 8);
            if ((next == 0 && headers > 1) || (next == 43 && bytes[at + 3] != 0) || (next == 44 && fragmentSeen)) return null;
            if (next == 44)
            {
                fragmentSeen = true;
                start = at + 8;
                int fragment = bytes[at + 2] << 8 | bytes[at + 3];
                if ((fragment & 0xfff9) != 0)
                {
                    packet.FragmentId = (uint)bytes[at + 4] << 24 | (uint)bytes[at + 5] << 16 | (uint)bytes[at + 6] << 8 | bytes[at + 7];
                    packet.FragmentOffset = fragment & 0xfff8;
                    if (packet.IsLater) return packet;
                }
            }
            if (bytes.Length < at + length) return null;
            (next, at) = (bytes[at], at + length);
        }
        packet.Protocol = next;
        return packet.ReadRest(bytes[at..], before: at - start, quoted) ? packet : null;
    }

    private bool ReadRest(byte[] rest, int before, bool quoted)
    {
        bool icmp = Protocol == (IsV6 ? 58 : 1);
        int length = Protocol == 6 ? 20 : Protocol == 17 || icmp ? 8 : Protocol == 132 ? 12 : 0;
        if (rest.Length < (quoted ? Math.Min(8, length) : length)) return false;
        Judged = before + length;
        if (Protocol is 6 or 17 or 132)
        {
            FromPort = rest[0] << 8 | rest[1];
            ToPort = rest[2] << 8 | rest[3];
            if (Protocol == 6 && rest.Length >= 14) Flags = rest[13];
        }
        if (icmp)
        {
            IcmpType = rest[0];
            if (IsEchoReply || IsEchoRequest) EchoId = rest[4] << 8 | rest[5];
            if (IsError && !quoted) Quote = Read(rest[8..], quoted: true);
        }
        return true;
    }
}
