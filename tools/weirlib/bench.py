"""`make bench`: Weir and Linux side by side; build/bench.json and .html.

Both boot in the same machine of QEMU (CPUs, memory, accelerator: vm.py) and
run the same workload (user/bench/wl_core.h) with as much memory free. Boots
alternate: each policy of Weir, then Linux, and all again; what is compared
is compared within such a pair. `tools/weir bench --docs` makes
docs/performance.md, and the README's figures, of build/bench.json.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

from weirlib import bench_report, bench_rows, peer, vm
from weirlib.bench_rows import Boot, Host

JSON = vm.ROOT / "build/bench.json"
W, FREE = 48, 32        # MiB: the region; what is free for it
# Where the guest has more CPUs than the host, QEMU runs them in turns of up
# to 100 ms. A phase of few accesses is over before all CPUs have met: its
# counts vary tenfold.
OPS = 4 * W * 256
SWAP = 128              # MiB: neither system finds it tight
RAM = 320               # MiB of the machine
WEIR_OWN = 9            # MiB that Weir keeps: kernel, tables, servers
CURVE_CPUS = bench_report.CPUS
CURVE = (0, 10, 25, 50, 75, 100)    # per cent of accesses that write
SECONDS = 600           # no boot takes that long


@dataclass(frozen=True)
class Size:
    cpus: tuple = (1, 2, 4, 8)
    curve: tuple = CURVE
    pairs: int = 5
    tasks: bool = True      # the variant with an address space each, too


QUICK = Size(cpus=(CURVE_CPUS,), curve=(0, 50, 100), pairs=3, tasks=False)


def group(cpus, variant, accel, dirty, pair):
    """Weir's boots and the one of Linux that they are compared with."""
    policies = ("two-pass",) if accel == "icount" else vm.POLICIES
    both = [("weir", p) for p in policies] + [("linux", "stock")]
    return [Boot(system, policy, cpus, variant, accel, dirty, pair)
            for system, policy in both]


def plan(size):
    """All boots, in order."""
    boots = []
    for pair in range(1, size.pairs + 1):
        for cpus in size.cpus:
            curve = size.curve if cpus == CURVE_CPUS else (100,)
            boots += group(cpus, "threads", "tcg", curve, pair)
        if size.tasks:
            boots += group(CURVE_CPUS, "procs", "tcg", (100,), pair)
        boots += group(1, "threads", "icount", (100,), pair)
    return boots


# ---- one boot --------------------------------------------------------------
def busy_seconds():
    """Of all CPUs of the host, since it started."""
    with open("/proc/stat", encoding="ascii") as file:
        words = [int(word) for word in file.readline().split()[1:]]
    busy = sum(words) - words[3] - words[4]     # idle, iowait
    return busy / os.sysconf("SC_CLK_TCK")


def own_seconds():
    used = [resource.getrusage(who) for who in
            (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return [u.ru_utime + u.ru_stime for u in used]


def watched(function, *arguments):
    """(what it returns, the Host meanwhile); it starts QEMU once."""
    load, start = os.getloadavg()[0], time.monotonic()
    busy, (children, own) = busy_seconds(), own_seconds()
    result = function(*arguments)
    after = own_seconds()
    qemu = after[0] - children
    others = busy_seconds() - busy - qemu - (after[1] - own)
    seconds = time.monotonic() - start
    return result, Host(round(load, 2), round(qemu, 2),
                        round(max(others, 0) / seconds, 2))


def options(boot):
    mine = {"mem": FREE + SWAP + WEIR_OWN, "swap": SWAP, "tlb": boot.policy} \
        if boot.system == "weir" else {}
    return vm.Options(cpus=boot.cpus, ram=RAM, accel=boot.accel,
                      timeout=SECONDS, **mine)


def parameters(boot):
    return {"T": boot.cpus, "W": W, "ops": OPS, "seed": boot.pair,
            "variant": boot.variant}


def run_weir(boot):
    """(phases, MiB free before)"""
    words = " ".join(f"{k}={v}" for k, v in parameters(boot).items())
    script = "; ".join(["vmstat"] + [f"wl --json {words} dirty={d}"
                                     for d in boot.dirty])
    result = vm.run(options(boot), ["sh", "-c", script])
    if result.status:
        raise vm.HostError(f"{result.command}: status {result.status} "
                           + result.verdict)
    lines = result.text.splitlines()
    counted = dict(line.split() for line in lines
                   if len(line.split()) == 2)
    return [json.loads(line) for line in lines if line.startswith("{")], \
        int(counted["nr_free_pages"]) / 256


def run_linux(boot, folder, archive):
    words = {**parameters(boot), "F": FREE, "swap": SWAP,
             "dirty": ",".join(map(str, boot.dirty))}
    run = peer.boot(options(boot), folder, archive, words)
    return run.phases, run.free_mib


def check(boot, phases):
    """What lost data, or lacks a phase, is no figure."""
    wrong = [p for p in phases if p["bad"] or p["lost"]]
    if wrong or len(phases) != 4 * len(boot.dirty):
        raise vm.HostError(f"{boot}: {len(phases)} phases, wrong: {wrong}")


# ---- all of them -----------------------------------------------------------
def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def say(done, boots, start):
    """The line before boot number `done`, from 0."""
    boot, gone = boots[done], time.monotonic() - start
    left = f", about {clock(gone / done * (len(boots) - done))} to go" \
        if done else ""
    print(f"bench: {done + 1} of {len(boots)}: {boot.system} {boot.policy}, "
          f"CPUs: {boot.cpus}, {boot.variant}, {boot.accel}, "
          f"pair {boot.pair}; {clock(gone)} gone{left}",
          file=sys.stderr, flush=True)


def measure(size):
    """The rows of all boots of the plan."""
    folder = peer.kernel()
    archive = peer.initrd(folder)
    boots, found, start = plan(size), [], time.monotonic()
    for done, boot in enumerate(boots):
        say(done, boots, start)
        if boot.system == "weir":
            (phases, free), host = watched(run_weir, boot)
        else:
            (phases, free), host = watched(run_linux, boot, folder,
                                           archive)
        check(boot, phases)
        found += bench_rows.samples(boot, phases, free, host)
    return bench_rows.rows(found, facts(folder))


def facts(folder):
    weir = subprocess.run(["git", "describe", "--always", "--dirty"],
                          cwd=vm.ROOT, capture_output=True, text=True,
                          check=False).stdout.strip()
    emulator = peer.command([vm.QEMU, "--version"]).splitlines()[0]
    return {"versions": f"Weir {weir or 'unknown'}; {peer.version(folder)}; "
                        f"{emulator}; host CPUs: {os.cpu_count()}",
            "parameters": f"W={W} F={FREE} swap={SWAP} ram={RAM} "
                          f"ops={OPS} T=CPUs seed=pair"}


def size_of(args):
    size = QUICK if args.quick else Size()
    return Size(args.cpus or size.cpus, size.curve, args.pairs or size.pairs,
                size.tasks)


def bench(args):
    lacks = bench_report.lacks()
    if lacks:
        print(f"tools/weir bench needs {lacks}", file=sys.stderr)
        return vm.HOST
    if args.docs:
        if not JSON.is_file():
            print("`make bench` comes first", file=sys.stderr)
            return 1
        bench_report.write_docs(json.loads(JSON.read_text()))
        return 0
    try:
        found = measure(size_of(args))
    except vm.HostError as error:
        print(f"bench: {error}", file=sys.stderr)
        return vm.HOST
    JSON.parent.mkdir(exist_ok=True)
    JSON.write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n")
    page = bench_report.write_html(found)
    for line in bench_report.headline(found).lines():
        print(line)
    print(f"wrote {JSON.relative_to(vm.ROOT)} ({len(found)} rows), "
          f"{page.relative_to(vm.ROOT)}")
    return 0


def cpu_list(text):
    return tuple(int(word) for word in text.split(","))


def add_verbs(sub):
    verb = sub.add_parser("bench", help="Weir and Debian's Linux side by "
                          "side: build/bench.json, build/bench.html")
    verb.add_argument("--quick", action="store_true",
                      help=f"{CURVE_CPUS} CPUs, {QUICK.pairs} pairs: under "
                      "5 minutes")
    verb.add_argument("--pairs", type=int, metavar="N",
                      help=f"default {Size.pairs}")
    verb.add_argument("--cpus", type=cpu_list, metavar="N,...",
                      help="default " + ",".join(map(str, Size.cpus)))
    verb.add_argument("--docs", action="store_true",
                      help="measure nothing: docs/performance.md and the "
                      "README's figures, of build/bench.json")
    verb.set_defaults(run=bench)
