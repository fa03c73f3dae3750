"""What both comparators share: the protocol (a line of JSON in, a line of JSON out on the fourth file, where nothing that a
library prints can get between), the data, the order of the samples, and the clock of a round. A comparator lives as long as the benchmark, so that nothing is loaded, traced or compiled in a round."""
import gzip
import json
import os
import signal
import sys
import time

import numpy as np

# A round starts with steps that do not count: caches are cold after somebody else's round.
SETTLE_SECONDS = 0.5


class Data:
    """The samples in memory, float32, and their class weights, one row a sample."""

    def __init__(self, data):
        if data["kind"] == "digits":
            with gzip.open(data["path"], "rt") as file:
                table = np.loadtxt(file, delimiter=",", dtype=np.float32)
            self.x = (table[:, :-1] / 16.0).reshape(-1, 8, 8, 1)
            labels = table[:, -1].astype(np.int64)
            classes = 10
        else:
            generator = np.random.default_rng(0)
            self.x = generator.random([data["samples"], *data["shape"]], dtype=np.float32)
            classes = data["classes"]
            labels = np.arange(data["samples"]) % classes
        self.y = np.eye(classes, dtype=np.float32)[labels]


class Order:
    """A new permutation every epoch; `next` gives the indices of the next micro-batches, [count, batch_size]."""

    def __init__(self, samples, batch_size):
        self.samples, self.batch_size = samples, batch_size
        self.generator = np.random.default_rng(1)
        self.rest = np.empty([0], np.int32)

    def next(self, count):
        wanted = count * self.batch_size
        while len(self.rest) < wanted:
            self.rest = np.concatenate([self.rest, self.generator.permutation(self.samples).astype(np.int32)])
        taken, self.rest = self.rest[:wanted], self.rest[wanted:]
        return taken.reshape(count, self.batch_size)


class Loop:
    """A training that goes on from round to round. `step(indices)` runs as many micro-batches as it gets rows of indices and
    returns the last loss, which `float` waits for."""

    def __init__(self, step, micro_batches, order):
        self.step, self.micro_batches, self.order = step, micro_batches, order

    def run(self, seconds):
        begun = time.perf_counter()
        steps = 0
        while True:
            loss = self.step(self.order.next(self.micro_batches))
            steps += 1
            if time.perf_counter() - begun >= seconds:
                loss = float(loss)
                elapsed = time.perf_counter() - begun
                if not np.isfinite(loss):
                    raise ArithmeticError("the loss is not finite")
                return {"samples": steps * self.micro_batches * self.order.batch_size, "seconds": elapsed}


def serve(versions, prepare):
    """Answers until its input ends. `prepare(request)` makes a Loop."""
    # Ctrl-C is for whoever started this process: it closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(3, "w")
    loops = {}
    print(json.dumps({"versions": versions}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "prepare":
                begun = time.perf_counter()
                loop = prepare(request)
                loop.run(0)
                loops[request["loop"]] = loop
                answer = {"seconds": time.perf_counter() - begun}
            else:
                loops[request["loop"]].run(SETTLE_SECONDS)
                answer = loops[request["loop"]].run(request["seconds"])
        except Exception as error:  # whatever it is, the benchmark reports it
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)
