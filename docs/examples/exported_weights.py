"""Reads the file that `pawl export` writes, and the digits that come with Pawl. Needs numpy and nothing else."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np


def read_safetensors(path):
    """Arrays by `<layer>/<weight>`: a JSON header behind its length, then the values."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    types = {"F32": "<f4", "I32": "<i4"}
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }


def read_validation_digits():
    """The last fifth of the digits, as the job normalises them: images [N, 8, 8, 1] and their classes."""
    with gzip.open(Path(__file__).parents[2] / "lib/data/builtin/digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)[int(1797 * 0.8) :]
    return (table[:, :-1] / 16).reshape(-1, 8, 8, 1), table[:, -1].astype(int)
