"""`make machines`: files of scenarios on machines other than the usual one.

The fixtures of tests/scenarios take the machine from WEIR_MACHINE; what a
machine has not got is skipped there. One line for each machine; it is clean
if something ran there, and nothing failed.
"""

import os
import re
import subprocess
import time

from weirlib.vm import ROOT

SCENARIOS = "tests/scenarios"
# About the tool, the sources, or machines themselves: the same everywhere.
ELSEWHERE = {"test_source.py", "test_harness.py", "test_machines.py",
             "test_bochs.py", "test_shell.py"}
# Bochs is slow, and has no disks: what shows that the TLB is kept honest.
HEART = ["test_fences.py", "test_memory.py", "test_objects.py"]
MACHINES = [  # (WEIR_MACHINE, files; None: all)
    ("cpu_model=Conroe", None),
    ("cpu_model=EPYC", None),
    ("cpu_model=Icelake-Server firmware=uefi", None),
    ("machine=bochs cpu_model=core2_penryn_t9600", HEART),
    ("machine=bochs cpu_model=corei7_skylake_x", HEART),
]


def run(machine, files):
    names = files or sorted(p.name for p in (ROOT / SCENARIOS).glob("test_*.py")
                            if p.name not in ELSEWHERE)
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-n", "2",
               "--timeout=4000", *(f"{SCENARIOS}/{name}" for name in names)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "WEIR_MACHINE": machine},
                          check=False)
    counts = {what: int(n) for n, what in re.findall(
        r"(\d+) (passed|failed|skipped|errors?)\b",
        done.stdout.strip().rpartition("\n")[2])}
    good = done.returncode == 0 and counts.get("passed", 0) > 0
    return counts, good, done.stdout


def machines(args):
    rows = [row for row in MACHINES
            if not args.names or any(n in row[0] for n in args.names)]
    clean = 0
    for machine, files in rows:
        start = time.monotonic()
        counts, good, text = run(machine, files)
        clean += good
        print(f"{machine}: {counts.get('passed', 0)} passed, "
              f"{counts.get('failed', 0)} failed, "
              f"{counts.get('skipped', 0)} skipped, "
              f"{time.monotonic() - start:.0f} s", flush=True)
        if not good:
            print(text[-6000:], flush=True)
    print(f"{len(rows)} machines, {clean} clean")
    return 0 if clean == len(rows) else 1


def add_verbs(sub):
    verb = sub.add_parser("machines", help="run the scenarios on other "
                          "machines")
    verb.add_argument("names", nargs="*", metavar="WORD",
                      help="only machines with WORD in their line")
    verb.set_defaults(run=machines)
