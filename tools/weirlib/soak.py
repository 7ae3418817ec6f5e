"""`make soak MINUTES=30`: random workloads with everything switched on.

One boot after the other until the time is up. Each has a number of CPUs, a
policy, a workload, and faults of its own, all drawn from one seed; all
checks of the kernel are on, every point of the protocol is slowed down at
random (delay=SEED:all). A boot is a violation if the kernel panics or hangs,
or if its workload saw a wrong byte or another end than it must. If a pager
or a swap server had not answered within its deadline, so that a task of storm
had to die, and no byte was wrong, the boot is late instead: then the host was
too slow for so many CPUs and delays, and the kernel kept its promise. What was
drawn is printed before it is run, as the command that repeats it. Where the
host cannot boot at all, that is no violation, and the end of the run.
"""

import json
import random
import re
import sys
import time
from collections import Counter

from weirlib import vm
from weirlib.vm import POLICIES

REPORT = vm.ROOT / "build" / "soak.json"
# Faults that nobody dies of; docs/reliability.md says what each is. One time
# in N, from these on; "xM": at most M times.
FAULTS = {"swap-write:{}": (10, 100), "swap-slow:{}": (20, 200),
          "swap-order:{}": (2, 10), "swap-stuck-write:{}": (300, 1000),
          "swap-full:{}": (10, 100), "swap-shrink:{}x500": (5, 50),
          "ipi-late:{}": (3, 30), "timer-storm:{}": (2, 20)}
# Workload -> options of the machine. "{s}" is seconds, "{n}" a seed.
WORKLOADS = {
    "storm seconds={s} seed={n} switch=1 json":
        dict(swap=24, swap_disk=64, mem=64),
    "storm seconds={s} seed={n} json": dict(swap=24, swap_disk=64, mem=64),
    "lostwrite --json threads=4 seconds={s} seed={n} variant=threads":
        dict(mem=48, swap=30),
    "lostwrite --json threads=4 seconds={s} seed={n} variant=procs":
        dict(mem=48, swap=30),
    "clones": dict(mem=48, swap=24),
    "fuzz seed={n} calls=30000": dict(mem=64),
    # Those that its children die of, one by one.
    "faults random alloc:600,swap-read:3": dict(mem=64),
}
# What a deadline that has passed says on the console, and storm of its bytes.
LATE = re.compile(r"^pager: page \d+ was not \w+ within \d+ ms", re.M)
UNHARMED = '"wrong":0}'
COUNT_SLOTS = ("clones", "fuzz")    # in the end, those that are free
# Counters that are added up: name in the report -> names in vmstat.
SUMS = {
    "pages_moved": ("pswpin", "pswpout", "pager_in", "pager_out"),
    "flush_rounds": ("nr_tlb_remote_flush",),
    "ipis": ("ipi_sent",),
    "flushes_avoided": ("tlb_flush_avoided",),
    "page_faults": ("pgfault",),
    "faults_injected": ("faults_injected",),
    "audits": ("audits",),
}


def draw(rng):
    """Options and command of one boot."""
    workload = rng.choice(list(WORKLOADS))
    command = workload.format(s=rng.randrange(20, 60),
                              n=rng.randrange(1, 1 << 31))
    kinds = [kind for kind in FAULTS if "shrink" not in kind or
             command.split()[0] not in COUNT_SLOTS]
    faults = rng.sample(kinds, rng.randrange(1, 4))
    words = ["check=all", f"seed={rng.randrange(1, 1 << 31)}",
             f"delay={rng.randrange(1, 500)}",
             f"delay={rng.randrange(1 << 31)}:all",
             "fault=" + ",".join(kind.format(rng.randint(*FAULTS[kind]))
                                 for kind in faults)]
    options = vm.Options(cpus=rng.choice((1, 2, 3, 4, 4, 8)),
                         tlb=rng.choice(POLICIES), words=words,
                         timeout=900, **WORKLOADS[workload])
    return options, ["sh", "-c", command + " && ctl faults && vmstat"]


def injected(text):
    """Kind of fault -> how many there were, of the output of `ctl faults`."""
    counts = Counter()
    for kind, n in re.findall(r"^([a-z-]+)\.\w+ +\d+ +(\d+)$", text,
                              flags=re.M):
        counts[kind] += int(n)
    return counts


def judge(result, counted):
    """late, violation, or nothing."""
    if result.status == 0 and counted:
        return None
    late = result.status == 1 and UNHARMED in result.text and \
        LATE.search(result.console)
    return "late" if late else "violation"


def one_boot(rng, sums, kinds):
    """Runs it and adds its counters; what it was, and its command."""
    options, command = draw(rng)
    print(vm.shown(options, command), flush=True)
    result = vm.run(options, command)
    if result.status == vm.HOST:
        raise vm.HostError(result.verdict)
    counters = dict(re.findall(r"^(\w+) (\d+)$", result.text, flags=re.M))
    for name, parts in SUMS.items():
        sums[name] += sum(int(counters.get(part, 0)) for part in parts)
    kinds.update(injected(result.text))
    judgement = judge(result, counters)
    said = f"status {result.status} {result.verdict}"
    if judgement:
        print(f"  {judgement.upper()}: {said}\n{result.text[-2000:]}\n"
              f"{result.console[-4000:]}", flush=True)
    return judgement, f"{result.command}: {said}"


def soak(args):
    seed = args.seed or random.SystemRandom().randrange(1, 1 << 31)
    rng = random.Random(seed)
    print(f"soak: {args.minutes:g} minutes, SEED={seed}; repeat with "
          f"make soak MINUTES={args.minutes:g} SEED={seed}", flush=True)
    sums, kinds = dict.fromkeys(SUMS, 0), Counter()
    found, boots = {"late": [], "violation": [], None: []}, 0
    REPORT.unlink(missing_ok=True)
    start = time.monotonic()
    while time.monotonic() - start < 60 * args.minutes:
        try:
            judgement, what = one_boot(rng, sums, kinds)
        except vm.HostError as error:
            print(error, file=sys.stderr)
            return vm.HOST
        boots += 1
        found[judgement].append(what)
        wrong = found["violation"]
        REPORT.write_text(json.dumps({
            "minutes": round((time.monotonic() - start) / 60, 1),
            "seed": seed, "boots": boots, **sums, "faults": kinds,
            "late": len(found["late"]), "violations": len(wrong),
            "what": wrong}, indent=1) + "\n")
    print(REPORT.read_text(), end="")
    return 1 if wrong else 0


def add_verbs(sub):
    verb = sub.add_parser("soak", help="random workloads with all checks, "
                          "delays and faults; writes build/soak.json")
    verb.add_argument("--minutes", type=float, default=30, metavar="N")
    verb.add_argument("--seed", type=int, metavar="N")
    verb.set_defaults(run=soak)
