using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Mesh.Fuzz;

/// <summary>Changes fields of control messages by their descriptors, so that what comes out is still a message.</summary>
/// <param name="known">Byte fields that mean something elsewhere, so that two of them meet.</param>
internal sealed class MessageMutator(Random random, params ByteString[] known)
{
    private static readonly int[] Lengths = [0, 1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 80, 81, 82, 128, 129, 253, 254, 256, 257, 512, 513, 1024, 1025];
    private static readonly string[] Strings =
        ["", "a", "-", "laptop", "Anna's MacBook", "default", "mkey_1", "\n", "\u202e", "é", new('a', 63), new('a', 64), new('x', 65), new('k', 129), new('h', 254), "tag:x", "a.b"];

    /// <summary>The message with one to four fields changed, somewhere within it.</summary>
    public T Change<T>(T message) where T : class, IDeepCloneable<T>, IMessage
    {
        T changed = message.Clone();
        for (int left = random.Next(1, 5); left > 0; left--) ChangeOne(changed, depth: 0);
        return changed;
    }

    private void ChangeOne(IMessage message, int depth)
    {
        var fields = message.Descriptor.Fields.InDeclarationOrder();
        if (fields.Count == 0) return;
        FieldDescriptor field = fields[random.Next(fields.Count)];
        if (field.IsRepeated)
        {
            ChangeList(field, (IList)field.Accessor.GetValue(message), depth);
            return;
        }
        if (random.Next(8) == 0)
        {
            field.Accessor.Clear(message);
            return;
        }
        if (field.FieldType == FieldType.Message && field.Accessor.GetValue(message) is IMessage inner && random.Next(6) != 0)
        {
            ChangeOne(inner, depth + 1);
            return;
        }
        if (Value(field, depth) is { } value) field.Accessor.SetValue(message, value);
    }

    private void ChangeList(FieldDescriptor field, IList list, int depth)
    {
        switch (random.Next(6))
        {
            case 0 when list.Count > 0:
                list.RemoveAt(random.Next(list.Count));
                break;
            case 1 when list.Count > 0:
                list.Add(list[random.Next(list.Count)]); // the same once more
                break;
            case 2:
                if (Value(field, depth) is { } many)
                    for (int left = random.Next(8) == 0 ? 1100 : random.Next(40); left > 0; left--) list.Add(many);
                break;
            case 3 or 4 when list.Count > 0 && list[random.Next(list.Count)] is IMessage inner:
                ChangeOne(inner, depth + 1);
                break;
            default:
                if (Value(field, depth) is { } value) list.Insert(random.Next(list.Count + 1), value);
                break;
        }
    }

    private object? Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.Bool => random.Next(2) == 0,
        FieldType.UInt32 or FieldType.Fixed32 => (uint)Mutator.Edge(random),
        FieldType.UInt64 or FieldType.Fixed64 => Mutator.Edge(random),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => unchecked((int)Mutator.Edge(random)),
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => unchecked((long)Mutator.Edge(random)),
        FieldType.Enum => random.Next(3) == 0 ? unchecked((int)Mutator.Edge(random)) : random.Next(5),
        FieldType.String => Strings[random.Next(Strings.Length)],
        FieldType.Bytes => Bytes(),
        FieldType.Message => Message(field, depth),
        _ => null,
    };

    private ByteString Bytes()
    {
        if (known.Length > 0 && random.Next(2) == 0) return known[random.Next(known.Length)];
        byte[] bytes = new byte[Lengths[random.Next(Lengths.Length)]];
        if (random.Next(4) != 0) random.NextBytes(bytes);
        return ByteString.CopyFrom(bytes);
    }

    private IMessage Message(FieldDescriptor field, int depth)
    {
        IMessage made = field.MessageType.Parser.ParseFrom(ByteString.Empty);
        if (depth < 4)
            for (int left = random.Next(4); left > 0; left--) ChangeOne(made, depth + 1);
        return made;
    }
}
