"""`make mutants`: each planted bug must be caught by the tests named for it.

The table is tests/mutants.py. Each test runs on the build without a bug and
on the one with it, with seeds from 1 on. A bug is caught if each of its tests
finds it, whatever the seed, and if each test is silent where there is no bug.
A run that ends in another way than these two, such as one that could not
start, is neither. build/mutants/BUG.log keeps the commands that repeat what
was not silent.
"""

import importlib.util
import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from weirlib import vm
from weirlib.vm import ROOT

LOGS = ROOT / "build" / "mutants"
SECONDS = 90    # most that one run may take
MEM = 96        # MiB
FAULT = 97      # the status of a program that was killed by a fault
PLANTED_ISO = ROOT / "build" / "planted" / "weir.iso"


def table():
    path = ROOT / "tests" / "mutants.py"
    spec = importlib.util.spec_from_file_location("mutants_table", path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@dataclass
class Run:
    """One run of one test. `said`: how it ended, "" if silent."""
    command: str
    said: str
    text: str
    found: bool     # what it said is that there is a bug


def run_guest(test, bug, seed):
    words = ["check=tlb", f"seed={seed}"] + [f"plant={bug}"] * bool(bug)
    words += [f"delay={seed}:all"] * test.delays
    iso = PLANTED_ISO if bug else ROOT / "build" / "weir.iso"
    result = vm.run(vm.Options(cpus=test.cpus, mem=MEM, iso=iso, words=words,
                               timeout=SECONDS), shlex.split(test.command))
    lines = [s for s in (result.text + result.console).splitlines()
             if ": not so: " in s or ": killed: " in s]
    said = ""
    if result.status:
        said = (result.verdict.removeprefix("The kernel panicked: ") or
                (lines or [f"status {result.status}"])[0])
    return Run(result.command, said, f"{result.text[-2000:]}{result.verdict}\n"
               f"{result.console[-4000:]}",
               result.status in (1, test.status, FAULT, vm.PANIC))


def host_program(test):
    return LOGS / test.name


def run_host(test, bug, seed):
    program = host_program(test)
    done = subprocess.run(
        [program, str(seed)], capture_output=True, text=True, check=False,
        env={**os.environ, "WEIR_PLANT": bug,
             "ASAN_OPTIONS": "detect_leaks=0"})
    lines = [s for s in done.stderr.splitlines()
             if "CHECK failed: " in s or s.startswith("panic: ")]
    said = ""
    if done.returncode:
        said = lines[0].split("CHECK failed: ")[-1] if lines else \
            f"status {done.returncode}"
    return Run(f"WEIR_PLANT={bug} {program.relative_to(ROOT)} {seed}", said,
               done.stdout[-1000:] + done.stderr[-3000:],
               bool(done.returncode and lines))


def run(test, bug, seed):
    return (run_guest if hasattr(test, "command") else run_host)(test, bug,
                                                                 seed)


def compile_hosts(tests):
    from drivers import PLANT, compile_driver   # tests/mutants.py knows where
    LOGS.mkdir(parents=True, exist_ok=True)
    for test in tests:
        if hasattr(test, "sources"):
            compile_driver(host_program(test), test.name, test.sources,
                           flags=PLANT)


class Runner:
    """Runs tests, some at a time, and prints a row each."""

    def __init__(self, seeds, jobs):
        self.seeds = range(1, seeds + 1)
        self.pool = ThreadPoolExecutor(jobs)

    def row(self, bug, name, test):
        """How many seeds found something, and how many were silent."""
        start = time.monotonic()
        runs = list(self.pool.map(lambda seed: run(test, bug, seed),
                                  self.seeds))
        said = [r.said for r in runs if r.said]
        found = sum(r.found for r in runs)
        how = max(said, default="", key=said.count)
        self._log(bug or "clean", name, [r for r in runs if r.said])
        print(f"{bug or '-':5} {found:3}/{len(runs)}  {name:18} "
              f"{time.monotonic() - start:5.0f}  {how[:90]}", flush=True)
        return found, len(runs) - len(said)

    def _log(self, bug, name, loud):
        with open(LOGS / f"{bug}.log", "a", encoding="utf-8") as log:
            for r in loud:
                log.write(f"### {name}: {r.said}\n{r.command}\n{r.text}\n")


def mutants(args):
    tables = table()
    chosen = {bug: names for bug, names in tables.MUTANTS.items()
              if not args.names or bug in args.names}
    unknown = set(args.names) - set(chosen)
    if unknown:
        print(f"no such bug: {' '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    tests = {name: tables.named(name)
             for names in chosen.values() for name in names}
    compile_hosts(tests.values())
    for old in LOGS.glob("*.log"):
        old.unlink()
    runner = Runner(args.seeds, args.jobs)
    print("bug   found  test             seconds  by")
    silent = {name: runner.row("", name, tables.named(name))[1] == args.seeds
              for name in dict.fromkeys(map(tables.whole, tests))}
    caught = 0
    for bug, names in chosen.items():
        print(f"{bug}: {tables.bugs()[bug]}")
        rows = [runner.row(bug, name, tests[name])[0] == args.seeds
                for name in names]
        good = all(rows) and all(silent[tables.whole(n)] for n in names)
        caught += good
        if not good:
            print(f"{bug:5} NOT CAUGHT")
    print(f"{len(chosen)} planted, {caught} caught")
    return 0 if caught == len(chosen) else 1


def add_verbs(sub):
    verb = sub.add_parser("mutants", help="run the tests that must catch "
                          "each planted bug")
    verb.add_argument("names", nargs="*", metavar="NAME")
    verb.add_argument("--seeds", type=int, default=20, metavar="N")
    verb.add_argument("--jobs", type=int, default=os.cpu_count(),
                      metavar="N", help="runs at a time")
    verb.set_defaults(run=mutants)
