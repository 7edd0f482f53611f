using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Mesh.Node.LocalApi;

/// <summary>JSON objects on lines, over a stream socket. One side's reads and writes come one at a time.</summary>
internal sealed class LineChannel(Socket socket) : IDisposable
{
    /// <summary>A longer line ends the conversation: 10,000 peers with all they have in a status.</summary>
    internal const int MaxLineBytes = 16 * 1024 * 1024;

    /// <summary>A request is much smaller than a status.</summary>
    internal const int MaxRequestBytes = 64 * 1024;

    private readonly NetworkStream _stream = new(socket, ownsSocket: true);
    private byte[] _buffer = new byte[4096];
    private int _have;

    /// <summary>Null at the end of the stream.</summary>
    /// <exception cref="JsonException">The line is no such object, or longer than it may be.</exception>
    public async Task<T?> ReadAsync<T>(JsonTypeInfo<T> type, int maxBytes, CancellationToken cancel) where T : class
    {
        int searched = 0;
        while (true)
        {
            int end = _buffer.AsSpan(searched, _have - searched).IndexOf((byte)'\n');
            if (end >= 0) return Take(type, searched + end);
            searched = _have;
            if (_have > maxBytes) throw new JsonException("a line is too long");
            if (_have == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
            int n = await _stream.ReadAsync(_buffer.AsMemory(_have), cancel).ConfigureAwait(false);
            if (n == 0) return null;
            _have += n;
        }
    }

    public async Task WriteAsync<T>(JsonTypeInfo<T> type, T message, CancellationToken cancel)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(message, type);
        byte[] line = [.. json, (byte)'\n'];
        await _stream.WriteAsync(line, cancel).ConfigureAwait(false);
    }

    /// <summary>Ends when the other side is gone; nothing that it sends is wanted any more.</summary>
    public async Task WaitForEndAsync(CancellationToken cancel)
    {
        byte[] nothing = new byte[256];
        while (await _stream.ReadAsync(nothing, cancel).ConfigureAwait(false) > 0)
        {
        }
    }

    public void Dispose() => _stream.Dispose();

    private T Take<T>(JsonTypeInfo<T> type, int end)
    {
        var message = JsonSerializer.Deserialize(_buffer.AsSpan(0, end), type) ?? throw new JsonException("null is no message");
        _buffer.AsSpan(end + 1, _have - end - 1).CopyTo(_buffer);
        // A join link went through here.
        _buffer.AsSpan(_have - end - 1, end + 1).Clear();
        _have -= end + 1;
        return message;
    }
}
