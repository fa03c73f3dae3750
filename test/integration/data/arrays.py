"""Writes .npz files of every kind into <folder>, and says what is in them: JSON with x and y as hex, null where they must be refused."""

import json
import sys
import zipfile
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
random = np.random.default_rng(3)
said = {}


def keep(name, x, y, refused=False, save=np.savez):
    save(folder / name, x=x, y=y)
    said[name] = None if refused else {"x": np.ascontiguousarray(x).tobytes().hex(), "shape": list(x.shape), "y": y.astype(np.float32).ravel().tolist()}


def save_as(version):
    def save(path, **arrays):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, array in arrays.items():
                with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, version=version, allow_pickle=False)

    return save


x8 = random.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
x32 = random.integers(0, 2**32, (6, 5, 4), dtype=np.uint32).view(np.float32)
labels = np.array([0, 4, 2, 1, 3, 4])

for kind in ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]:
    keep(f"labels-{kind}.npz", x8, labels.astype(kind))
    keep(f"rows-{kind}.npz", x32, np.eye(5, dtype=kind)[labels], save=np.savez_compressed)
keep("rows-f4.npz", x32, np.eye(5, dtype="f4")[labels])
keep("rows-f8.npz", x32, random.dirichlet(np.ones(5), 6))
keep("column.npz", x8, labels[:, None])
keep("large.npz", random.integers(0, 4, (6, 700, 600), dtype=np.uint8), labels, save=np.savez_compressed)
for version in [(1, 0), (2, 0), (3, 0)]:
    keep(f"version-{version[0]}.npz", x8, labels, save=save_as(version))
keep("transposed-view.npz", x8.transpose(0, 2, 1, 3), labels)
keep("strided.npz", x8[:, ::2, ::-1], labels)

keep("fortran.npz", np.asfortranarray(x8), labels, refused=True)
keep("big-endian-x.npz", x8.astype(">f4"), labels, refused=True)
keep("big-endian-y.npz", x8, labels.astype(">i8"), refused=True)
keep("half.npz", x8.astype("f2"), labels, refused=True)
keep("double.npz", x8.astype("f8"), labels, refused=True)
keep("bool.npz", x8, labels > 1, refused=True)
keep("complex.npz", x8.astype("c8"), labels, refused=True)
keep("strings.npz", x8, labels.astype("U3"), refused=True)
keep("dates.npz", x8, labels.astype("M8[s]"), refused=True)
keep("float-labels.npz", x8, labels.astype("f4"), refused=True)
np.savez(folder / "objects.npz", x=x8, y=np.array([{}] * 6, dtype=object))
np.savez(folder / "structured.npz", x=x8, y=np.zeros(6, dtype=[("label", "i4")]))
said["objects.npz"] = said["structured.npz"] = None
json.dump(said, sys.stdout)
