"""Optuna's side of the comparison of samplers: a study at a time, asked for a trial's parameters and told the trial's value. The
functions are on the other side: a line of JSON in, a line of JSON out on the fourth file, where nothing that a library prints can
get between."""
import json
import os
import signal
import sys
import warnings

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution


def distribution(variable):
    if variable["kind"] == "choice":
        return CategoricalDistribution(variable["choices"])
    make = FloatDistribution if variable["kind"] == "float" else IntDistribution
    return make(variable["low"], variable["high"], log=variable["log"])


class Study:
    """In memory, minimising, with the default sampler."""

    def __init__(self, request):
        self.study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=request["seed"]))
        self.space = {variable["name"]: distribution(variable) for variable in request["variables"]}

    def ask(self):
        self.trial = self.study.ask(self.space)
        return {"params": self.trial.params}

    def tell(self, value):
        self.study.tell(self.trial, value)
        return {}


def main():
    # Ctrl-C is for whoever started this process: it closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    answers = os.fdopen(3, "w")
    study = None
    print(json.dumps({"versions": {"Optuna": optuna.__version__}}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "study":
                study, answer = Study(request), {}
            elif request["do"] == "ask":
                answer = study.ask()
            else:
                answer = study.tell(request["value"])
        except Exception as error:  # whatever it is, the benchmark reports it
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


main()
