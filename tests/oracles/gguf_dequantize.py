"""Tensors of a GGUF file as the gguf package dequantizes them.

request: file, out (safetensors file to write, float32), names [str] (all when absent).
answer: tensors [{name, type, shape}], in file order; shapes as stored rows, the slowest dimension first.
"""

from common import Answer, Request, main


def run(request: Request) -> Answer:
    import numpy
    from gguf import GGUFReader, dequantize
    from safetensors.numpy import save_file

    wanted = request.get("names")
    tensors, listed = {}, []
    for tensor in GGUFReader(request["file"]).tensors:
        if wanted is not None and tensor.name not in wanted:
            continue
        shape = [int(size) for size in reversed(tensor.shape)]
        values = dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32).reshape(shape)
        tensors[tensor.name] = numpy.ascontiguousarray(values)
        listed.append({"name": tensor.name, "type": tensor.tensor_type.name, "shape": shape})
    save_file(tensors, request["out"])
    return {"tensors": listed}


if __name__ == "__main__":
    main(run)
