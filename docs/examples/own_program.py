"""Runs trials of a sweep that has no job. Needs nothing but Python.

    pawl sweep start docs/examples/own-program.yaml
    python docs/examples/own_program.py SWEEP        # as many at once as you like, on any machine

Each process is a client with a name (CLIENT, or else one made of the machine and the process). One that dies and comes
back under its name is given its trial again, and so is whoever sends a request twice because the answer was lost.
"""

import json
import math
import os
import socket
import sys
import time
import urllib.error
import urllib.request

URL = os.environ.get("PAWL_URL", "http://127.0.0.1:8787")
TOKEN = os.environ.get("PAWL_API_TOKEN")
CLIENT = os.environ.get("CLIENT", f"{socket.gethostname()}-{os.getpid()}")
FOLDER = os.environ.get("CHECKPOINTS", "own-program-checkpoints")
STEPS = 27


def call(sweep, what, body, tries=10):
    """POST, until there is an answer: asking or telling the same again changes nothing."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {TOKEN}"} if TOKEN else {})}
    request = urllib.request.Request(f"{URL}/v1/sweeps/{sweep}/trials/{what}", json.dumps({"client": CLIENT, **body}).encode(), headers)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or tries == 1:
                sys.exit(f"{what}: {error.code} {error.read().decode()}")
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if tries == 1:
                sys.exit(f"{what}: {error}")
        tries -= 1
        time.sleep(1)


def run(sweep, trial):
    """Trains from where the trial stands until it is told to wait or to end, or is through."""
    path = os.path.join(FOLDER, f"{trial['id']}.json")
    # Whoever is given a trial that waited goes on from its checkpoint, which another process may have written.
    state = json.load(open(path)) if os.path.exists(path) else {"step": 0, "x": [1.0, 1.0], "v": [0.0, 0.0]}
    while state["step"] < STEPS:
        loss = train_one_step(state, **trial["params"])
        with open(f"{path}.{CLIENT}", "w") as file:
            json.dump(state, file)
        os.replace(f"{path}.{CLIENT}", path)
        # JSON has no NaN: null says it.
        value = loss if math.isfinite(loss) else None
        told = call(sweep, "tell", {"id": trial["id"], "values": [{"step": state["step"], "value": value}]})
        if not told["goes_on"]:
            return
    call(sweep, "tell", {"id": trial["id"], "state": "succeeded"})


def train_one_step(state, lr, momentum):
    """What your training is: here, gradient descent with momentum in a long valley, which diverges if lr is too large."""
    slopes = (1.0, 30.0)
    for i, slope in enumerate(slopes):
        state["v"][i] = momentum * state["v"][i] - lr * slope * state["x"][i]
        state["x"][i] += state["v"][i]
    state["step"] += 1
    return sum(0.5 * slope * x * x for slope, x in zip(slopes, state["x"]))


def main(sweep):
    os.makedirs(FOLDER, exist_ok=True)
    while True:
        asked = call(sweep, "ask", {"count": 1})
        for trial in asked["trials"]:
            run(sweep, trial)
        if not asked["trials"]:
            if not asked["ask_again"]:
                return
            time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1])
