"""`make mutants`: each planted bug must be caught by its named test.

The table is tests/mutants.py. A bug counts as caught when its test passes
on the build without a bug and fails, as a test, on the build with it.
"""

import importlib.util
import os
import subprocess
import sys
import time

from weirlib.vm import ROOT


def table():
    path = ROOT / "tests" / "mutants.py"
    spec = importlib.util.spec_from_file_location("mutants_table", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.MUTANTS


def run_test(test, iso, mutant=""):
    """"passed", "failed", or what kept the runner from running it."""
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-x",
               "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "WEIR_ISO": str(iso),
                               "WEIR_MUTANT": mutant}, check=False)
    if done.returncode in (0, 1):
        return "failed" if done.returncode else "passed", done.stdout
    return "did not run", done.stdout + done.stderr


def build(name):
    done = subprocess.run(["make", "-s", "iso", f"MUTANT={name}"], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode == 0


def mutants(args):
    rows = [row for row in table() if not args.names or row[0] in args.names]
    sound, caught = {}, 0
    print(f"{'bug':5} {'what is planted':44} {'verdict':8} seconds  test")
    for name, what, test in rows:
        start = time.monotonic()
        if test not in sound:
            sound[test] = run_test(test, ROOT / "build" / "weir.iso")
        iso = ROOT / "build" / f"mutant-{name}" / "weir.iso"
        if sound[test][0] != "passed":
            verdict = "UNSOUND"     # it fails without the bug, too
            print(sound[test][1][-3000:], file=sys.stderr)
        elif not build(name):
            verdict = "NOBUILD"
        else:
            verdict = {"failed": "caught", "passed": "MISSED"}.get(
                run_test(test, iso, name)[0], "NORUN")
        caught += verdict == "caught"
        print(f"{name:5} {what:44} {verdict:8} "
              f"{time.monotonic() - start:7.1f}  {test}", flush=True)
    print(f"{len(rows)} planted, {caught} caught")
    return 0 if caught == len(rows) else 1


def add_verbs(sub):
    verb = sub.add_parser("mutants", help="build each planted bug, run the "
                          "test that must catch it")
    verb.add_argument("names", nargs="*", metavar="NAME")
    verb.set_defaults(run=mutants)
