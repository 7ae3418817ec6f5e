"""`make fuzz`: libFuzzer on what reads bytes that others made.

The targets are tests/fuzz/targets.py: parsers and the pager's protocol, the
very sources of the kernel and of user/lib, under the address and undefined
behaviour sanitizers, with drivers that check what each promises.
"""

import os
import re
import runpy
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from weirlib.vm import ROOT

CORPUS = ROOT / "tests" / "fuzz" / "corpus"
OUT = ROOT / "build" / "fuzz"
HOST = ROOT / "tests" / "host"
TABLE = ROOT / "tests/fuzz/targets.py"      # a student's tree has none
TARGETS = runpy.run_path(str(TABLE))["TARGETS"] if TABLE.exists() else {}
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-parameter", "-fno-omit-frame-pointer", f"-I{HOST}/shim",
         f"-I{HOST}/c", f"-I{ROOT}", "-pthread",
         # The fuzzer has a main of its own.
         "-Dmain=driver_main", "-fsanitize=fuzzer,address,undefined",
         "-fno-sanitize-recover=all"]


@dataclass
class Result:
    target: str
    executions: int
    edges: int
    crash: str   # the command that repeats it; "": there is none
    log: str


def build(name, out, sources=None):
    """The target's program, out/NAME; `sources` instead of its own."""
    out.mkdir(parents=True, exist_ok=True)
    program = out / name
    subprocess.run(
        ["clang", *FLAGS, "-o", program, HOST / "c" / f"{name}_test.c",
         HOST / "shim" / "shim.c",
         *(sources or [ROOT / s for s in TARGETS[name].sources])], check=True)
    return program


def call(program, *args):
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
    done = subprocess.run([program, "-close_fd_mask=1", "-timeout=20",
                           *map(str, args)], capture_output=True, check=False,
                          cwd=ROOT, env=env)
    return done.returncode, done.stderr.decode(errors="replace")


def run(name, program, seed, *limits):
    """One run from the corpus; what it finds is kept in build/fuzz/NAME.new.
    Without limits only the corpus is run."""
    new = program.with_suffix(".new")
    new.mkdir(exist_ok=True)
    status, log = call(program, *(limits or ["-runs=0"]), f"-seed={seed}",
                       f"-max_len={TARGETS[name].longest}",
                       f"-artifact_prefix={program}.", "-print_final_stats=1",
                       new, CORPUS / name)
    executed = re.search(r"number_of_executed_units: (\d+)", log)
    edges = re.findall(r"cov: (\d+)", log)
    unit = re.search(r"Test unit written to (\S+)", log)
    crash = ""
    if status:
        crash = f"{program} {unit.group(1) if unit else CORPUS / name}"
    return Result(name, int(executed.group(1)) if executed else 0,
                  int(edges[-1]) if edges else 0, crash, log)


def keep(name, program):
    """What reaches an edge that the corpus does not is added to it."""
    status, log = call(program, "-merge=1", "-use_counters=0", CORPUS / name,
                       program.with_suffix(".new"))
    if status:
        raise SystemExit(log)


def campaign(name, args):
    program = build(name, OUT)
    result = run(name, program, args.seed,
                 f"-max_total_time={round(args.minutes * 60)}")
    print(f"{name:12} {result.executions:11} {result.edges:6} "
          f"{result.crash or 'none'}", flush=True)
    if result.crash:
        print(result.log[-4000:])
    elif args.keep:
        keep(name, program)
    return result


def fuzz(args):
    names = args.names or list(TARGETS)
    print(f"fuzz: {args.minutes:g} minutes each; again: tools/weir fuzz "
          f"--minutes {args.minutes:g} --seed {args.seed} "
          + " ".join(args.names))
    print(f"{'target':12} {'executions':>11} {'edges':>6} crash")
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda name: campaign(name, args), names))
    crashes = sum(bool(result.crash) for result in results)
    print(f"{len(results)} targets, {sum(r.executions for r in results)} "
          f"executions, {crashes} crashes")
    return 1 if crashes else 0


def add_verbs(sub):
    verb = sub.add_parser("fuzz", help="libFuzzer on the parsers and the "
                          "pager's protocol")
    verb.add_argument("--minutes", type=float, default=10, metavar="N",
                      help="for each target; two run at a time")
    verb.add_argument("--seed", type=int, default=int(time.time()))
    verb.add_argument("--keep", action="store_true",
                      help="put what reaches more into tests/fuzz/corpus")
    verb.add_argument("names", nargs="*", metavar="TARGET",
                      choices=[[], *TARGETS])
    verb.set_defaults(run=fuzz)
