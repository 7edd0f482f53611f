global using VectorAead256 = Mesh.Crypto.Vectors.VectorAead<
    System.Runtime.Intrinsics.Vector256<uint>, Mesh.Crypto.Vectors.CipherVector256,
    System.Runtime.Intrinsics.Vector256<ulong>, Mesh.Crypto.Vectors.MacVector256>;
global using VectorAead512 = Mesh.Crypto.Vectors.VectorAead<
    System.Runtime.Intrinsics.Vector512<uint>, Mesh.Crypto.Vectors.CipherVector512,
    System.Runtime.Intrinsics.Vector512<ulong>, Mesh.Crypto.Vectors.MacVector512>;
