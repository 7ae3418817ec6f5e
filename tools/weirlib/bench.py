"""`make bench`: Weir and Linux side by side; build/bench.json and .html.

Both boot in the same machine of QEMU (CPUs, memory, accelerator: vm.py) and
run the same workload (user/bench/wl_core.h) with as much memory free;
bench_plan.py says which boots. `tools/weir bench --docs` makes
docs/performance.md, and the README's figures, of build/bench.json.
"""

import dataclasses
import json
import os
import resource
import subprocess
import sys
import time

from weirlib import (belady, bench_plan, bench_report, bench_rows, peer, vm)
from weirlib.bench_plan import QUICK, Size
from weirlib.bench_rows import Host

JSON = vm.ROOT / "build/bench.json"


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


def run_weir(boot):
    """(phases, MiB free before)"""
    result = vm.run(bench_plan.options(boot), bench_plan.command(boot))
    if result.status:
        raise vm.HostError(f"{result.command}: status {result.status} "
                           + (result.verdict or result.text[-200:]))
    lines = result.text.splitlines()
    counted = dict(line.split() for line in lines
                   if len(line.split()) == 2)
    return [json.loads(line) for line in lines if line.startswith("{")], \
        int(counted["nr_free_pages"]) / 256


def run_linux(boot, folder, archive):
    run = peer.boot(bench_plan.options(boot), folder, archive,
                    bench_plan.peer_words(boot))
    return run.phases, run.free_mib


def check(boot, phases):
    """What lost data, or lacks a phase, is no figure."""
    wrong = [p for p in phases if p["bad"] or p["lost"]]
    kind = boot.variant.partition("-")[0]
    each = {"one": 1, "tasks": 1, "flush": 10}.get(kind, 4)
    if wrong or len(phases) != each * len(boot.runs):
        raise vm.HostError(f"{len(phases)} phases, wrong: {wrong}")


def optima(boot, phases, free_mib, host):
    """Samples of what Belady's choice would have missed, of Weir's traces."""
    for name, phase in zip(boot.runs, phases):
        if boot.system != "weir" or name in bench_plan.TIMED:
            continue
        misses = belady.optimum(bench_plan.trace(boot, name), boot.pair,
                                phase["ops"], int(free_mib * 256))
        yield bench_rows.Sample(
            ("optimum", "belady", boot.cpus, name, boot.variant, 0,
             "major_faults_per_million"), "per million accesses",
            misses * 10 ** 6 / phase["ops"], boot, host)


def figures(boot, phases, free_mib, host):
    """The Samples of one boot."""
    check(boot, phases)
    if boot.variant != "one":
        return bench_rows.samples(boot, phases, free_mib, host)
    phases = [{**p, "phase": n} for n, p in zip(boot.runs, phases)]
    return [*bench_rows.samples(boot, phases, free_mib, host),
            *optima(boot, phases, free_mib, host)]


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


def available_mib():
    with open("/proc/meminfo", encoding="ascii") as file:
        words = dict(line.split(":") for line in file)
    return int(words["MemAvailable"].split()[0]) // 1024


def that_fit(boots):
    """Those whose machine the host has memory for; says which has none."""
    room = available_mib() * 9 // 10
    large = {b.free for b in boots if bench_plan.options(b).ram > room}
    for free in sorted(large):
        print(f"bench: the host has too little memory for {free} MiB free; "
              "left out", file=sys.stderr)
    return [b for b in boots if b.free not in large]


def measure(size):
    """(the rows of all boots of the plan, what went wrong in some)"""
    folder = peer.kernel()
    archive = peer.initrd(folder)
    boots = that_fit(bench_plan.plan(size))
    found, wrong, start = [], [], time.monotonic()
    for done, boot in enumerate(boots):
        say(done, boots, start)
        run = (run_weir, boot) if boot.system == "weir" else \
            (run_linux, boot, folder, archive)
        try:
            (phases, free), host = watched(*run)
            found += figures(boot, phases, free, host)
        except vm.HostError as error:
            wrong.append(f"{boot}: {error}")
            print(f"bench: {wrong[-1]}", file=sys.stderr, flush=True)
    return bench_rows.rows(found, facts(folder)), wrong


def facts(folder):
    weir = subprocess.run(["git", "describe", "--always", "--dirty"],
                          cwd=vm.ROOT, capture_output=True, text=True,
                          check=False).stdout.strip()
    emulator = peer.command([vm.QEMU, "--version"]).splitlines()[0]
    return {"versions": f"Weir {weir or 'unknown'}; {peer.version(folder)}; "
                        f"{emulator}; host CPUs: {os.cpu_count()}",
            "parameters": f"W={bench_plan.W} F={bench_plan.FREE} "
                          f"swap={bench_plan.SWAP} ops={bench_plan.OPS} "
                          "T=CPUs seed=pair"}


def size_of(args):
    size = QUICK if args.quick else Size()
    if args.cpus:
        size = dataclasses.replace(size, cpus=args.cpus, many=(), counted=())
    return dataclasses.replace(size, pairs=args.pairs or size.pairs)


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
        found, wrong = measure(size_of(args))
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
    if wrong:
        print(f"bench: {len(wrong)} boots went wrong", file=sys.stderr)
    return vm.HOST if wrong else 0


def cpu_list(text):
    return tuple(int(word) for word in text.split(","))


def add_verbs(sub):
    verb = sub.add_parser("bench", help="Weir and Debian's Linux side by "
                          "side: build/bench.json, build/bench.html")
    verb.add_argument("--quick", action="store_true",
                      help=f"{bench_plan.CPUS} CPUs, {QUICK.pairs} pairs: in "
                      "5 minutes")
    verb.add_argument("--pairs", type=int, metavar="N",
                      help=f"default {Size.pairs}")
    verb.add_argument("--cpus", type=cpu_list, metavar="N,...",
                      help="default " + ",".join(
                          map(str, Size.cpus + Size.many)))
    verb.add_argument("--docs", action="store_true",
                      help="measure nothing: docs/performance.md and the "
                      "README's figures, of build/bench.json")
    verb.set_defaults(run=bench)
