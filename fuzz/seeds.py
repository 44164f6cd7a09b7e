# SPDX-License-Identifier: Apache-2.0
"""Writes the seed inputs of every fuzz target: the tests' fixtures and a few files made here.

usage: seeds.py FIXTURES_FOLDER OUT_FOLDER
"""
import gzip
import io
import json
import pathlib
import pickle
import shutil
import struct
import sys
import zipfile


def zipped(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def npy(descr, shape, data, version=1):
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + data


def safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def program():
    """What torch.export writes of y = linear(x.reshape(batch, -1), weight) + 0.5, in short."""

    def meta(*sizes):
        return {"dtype": 7, "storage_offset": {"as_int": 0}, "layout": 7, "sizes": list(sizes),
                "strides": [{"as_int": 2}, {"as_int": 1}]}

    def tensor(name):
        return {"as_tensor": {"name": name}}

    def node(target, out, **inputs):
        return {"target": f"torch.ops.aten.{target}", "outputs": [out], "name": "n",
                "inputs": [{"name": name, "arg": arg, "kind": 1} for name, arg in inputs.items()]}

    batch = {"as_expr": {"expr_str": "s0", "hint": {"as_int": 2}}}
    nodes = [node("sym_size.int", {"as_sym_int": {"as_name": "n"}}, self=tensor("x"), dim={"as_int": 0}),
             node("reshape.default", tensor("flat"), self=tensor("x"),
                  shape={"as_sym_ints": [{"as_name": "n"}, {"as_int": -1}]}),
             node("linear.default", tensor("linear"), input=tensor("flat"), weight=tensor("p_weight")),
             node("add.Tensor", tensor("y"), self=tensor("linear"), other={"as_float": 0.5})]
    values = {"x": meta(batch, {"as_int": 2}), "y": meta(batch, {"as_int": 3})}
    inputs = [{"parameter": {"arg": {"name": "p_weight"}, "parameter_name": "weight"}}, {"user_input": {"arg": tensor("x")}}]
    return json.dumps({"schema_version": {"major": 8, "minor": 20}, "torch_version": "2.13.0",
                       "graph_module": {"graph": {"nodes": nodes, "tensor_values": values},
                                        "signature": {"input_specs": inputs,
                                                      "output_specs": [{"user_output": {"arg": tensor("y")}}]}}}).encode()


def made_here():
    arrays = {"a": npy("<f4", (2, 2), bytes(16)), "b": npy("|u1", (3,), b"abc", 2), "c": npy("<U2", (1,), bytes(8)),
              "d": npy(">i8", (1,), bytes(8)), "e": npy("|S3", (), b"abc")}
    idx = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 2, 2) + bytes(8)
    values = [{"a": [1, -2, 2**40, 0.5, None, True, b"x", "y", (), (1,), {2}, 2**70]}, [[]] * 3, {"k": {"l": bytearray(b"z")}}]
    return {
        "zip": [zipped({"a.txt": b"alpha", "b": b""}), zipped({"a": bytes(99)}, zipfile.ZIP_DEFLATED)],
        "npz": [zipped({f"{name}.npy": data for name, data in arrays.items()})],
        "npy": list(arrays.values()),
        "safetensors": [safetensors({"__metadata__": {"k": "v"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                                     "s": {"dtype": "BF16", "shape": [], "data_offsets": [8, 10]}}, bytes(10))],
        "idx": [idx, gzip.compress(idx, mtime=0)],
        "toml": [b'text = "b"\nnumber = 3\nfraction = "8/255"\ntruth = true\nlist = [1, 2.5]\n'],
        "pt2": [program()],
        "pickle": [pickle.dumps(value, protocol) for value in values for protocol in range(2, 6)],
    }


def main():
    fixtures, out = map(pathlib.Path, sys.argv[1:3])
    patterns = {"zip": ["*.npz", "*.pth"], "npz": ["*.npz"], "npy": [], "safetensors": ["*.safetensors"], "idx": [],
                "pickle": ["cifar10_meta"], "cifar_python": ["cifar*_batch*", "cifar10_meta"],
                "toml": [], "pt2": [], "torch_file": ["*.pth"]}
    made = made_here()
    for target, globs in patterns.items():
        folder = out / target
        folder.mkdir(parents=True, exist_ok=True)
        for file in (file for pattern in globs for file in sorted(fixtures.glob(pattern))):
            shutil.copyfile(file, folder / file.name)
        if target in ("torch_file", "pickle"):
            for file in sorted(set(fixtures.glob("*.pth")) - set(fixtures.glob("*unverified*"))):
                if zipfile.is_zipfile(file):
                    archive = zipfile.ZipFile(file)
                    (folder / f"{file.stem}.pkl").write_bytes(archive.read(f"{file.stem}/data.pkl"))
        for number, content in enumerate(made.get(target, [])):
            (folder / f"made-{number}").write_bytes(content)


if __name__ == "__main__":
    main()
