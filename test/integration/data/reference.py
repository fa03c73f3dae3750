"""read <folder>: what Python's safetensors makes of every file there, as JSON, null for a refused one.
write <folder>: files of its own, and what is in them."""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file


def facts(tensors, metadata):
    return {
        "metadata": metadata,
        "tensors": {name: {"dtype": str(t.dtype), "shape": list(t.shape), "hex": t.tobytes().hex()} for name, t in tensors.items()},
    }


def read(path):
    try:
        with safe_open(path, framework="numpy") as file:
            return facts({name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {})
    except (SafetensorError, AttributeError, TypeError, UnicodeError):
        # get_tensor cannot make some types (BF16, F8) in numpy; opening was enough to judge the structure
        return None


def opens(path):
    try:
        with safe_open(path, framework="numpy"):
            return True
    except (SafetensorError, OSError, UnicodeError):
        return False


def write(folder):
    random = np.random.default_rng(1)
    written = {}
    for number in range(30):
        tensors = {}
        for index in range(random.integers(0, 6)):
            shape = tuple(int(size) for size in random.integers(0, 4, random.integers(0, 4)))
            bits = random.integers(0, 2**32, shape, dtype=np.uint32)
            only_floats = number % 2 == 0
            tensors[f"t{random.integers(1000)}/κ\"\\{index}"] = bits.view(np.float32 if only_floats or index % 2 else np.int32)
        metadata = {"number": str(number), "é": "\n"} if number % 3 else None
        save_file(tensors, folder / f"{number}.safetensors", metadata)
        written[f"{number}.safetensors"] = facts(tensors, metadata or {})
    return written


command, folder = sys.argv[1], Path(sys.argv[2])
if command == "write":
    result = write(folder)
elif command == "read":
    result = {path.name: read(path) for path in sorted(folder.iterdir())}
else:
    result = {path.name: opens(path) for path in sorted(folder.iterdir())}
json.dump(result, sys.stdout)
