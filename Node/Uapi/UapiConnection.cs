using System.Text;
using Mesh.Node.Device;
using Mesh.Node.Kernel;

namespace Mesh.Node.Uapi;

/// <summary>
/// One client of the configuration socket: "get=1" or "set=1", lines, an empty line; answered by lines, "errno=N" and an empty
/// line, where N is 0 or a negative errno. Several requests may follow one another. Lines are bounded; what is no
/// request ends the connection.
/// </summary>
internal sealed class UapiConnection(WireGuardDevice device, IUapiHost host, Stream stream)
{
    private const int LongestLine = 512;

    private readonly byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;

    /// <summary>Serves the client until it closes, or sends what is no request.</summary>
    public void Serve()
    {
        Span<char> line = stackalloc char[LongestLine];
        while (TryReadLine(line, out int length))
        {
            int errno;
            using var answer = new StreamWriter(stream, new UTF8Encoding(false), 16 * 1024, leaveOpen: true);
            switch (line[..length])
            {
                case "get=1":
                    if (!TryReadLine(line, out length) || length != 0) return;
                    UapiGet.Write(device, host, answer);
                    errno = 0;
                    break;
                case "set=1":
                    errno = Set(line);
                    break;
                default:
                    return;
            }
            answer.Write($"errno={-errno}\n\n");
            answer.Flush();
            if (errno != 0) return; // the rest of the request is in the way of what may follow
        }
    }

    private int Set(Span<char> line)
    {
        if (host.IsReadOnly) return Errno.EPERM;
        var set = new UapiSet(device, host);
        try
        {
            while (true)
            {
                if (!TryReadLine(line, out int length)) return Errno.EPROTO;
                if (length == 0) return 0;
                set.Apply(line[..length]);
            }
        }
        catch (UapiException e)
        {
            return e.Errno;
        }
        finally
        {
            line.Clear(); // keys went through it
        }
    }

    /// <returns>False at the end, or when the line is too long.</returns>
    private bool TryReadLine(Span<char> line, out int length)
    {
        length = 0;
        while (true)
        {
            for (; _start < _end; _start++)
            {
                byte next = _buffer[_start];
                if (next == (byte)'\n')
                {
                    _start++;
                    return true;
                }
                if (length == line.Length) return false;
                line[length++] = (char)next;
            }
            (_start, _end) = (0, stream.Read(_buffer));
            if (_end <= 0) return false;
        }
    }
}
