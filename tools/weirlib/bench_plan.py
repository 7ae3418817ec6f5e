"""Which boots `make bench` makes, and what each runs.

Boots alternate: each policy of Weir, then Linux, and all again; what is
compared is compared within such a pair. plan() is the list, command() and
peer_words() say what a boot runs, options() in which machine.
"""

from dataclasses import dataclass

from weirlib import vm
from weirlib.bench_rows import Boot

W, FREE = 48, 32        # MiB: the region; what is free for it
# Where the guest has more CPUs than the host, QEMU runs them in turns of up
# to 100 ms. A phase of few accesses is over before all CPUs have met: its
# counts vary tenfold.
OPS = 4 * W * 256
SWAP = 128              # MiB: neither system finds it tight
WEIR_OWN = 7            # MiB that Weir keeps: kernel, servers
WEIR_OF = 0.0118        # and of all its memory: tables
WEIR_CPU = 0.03         # and for a CPU: stacks
REST = 151              # MiB of the machine that neither uses
CPUS = 4                # of what has only one number of CPUs
CURVE = (0, 10, 25, 50, 75, 100)    # per cent of accesses that write
SECONDS = 600           # no boot takes that long
TOUCHED = 1.5           # the region by what is free
# Name: (kind, pages by those that are free, what else trace.h wants).
TRACES = {
    "scan": ("loop", 1.5, ""),
    "loop-1.1": ("loop", 1.1, ""),
    "loop-1.25": ("loop", 1.25, ""),
    "turns": ("turns", 1.6, ""),        # each half fits
    "zipf-0.875": ("zipf", 2, ":7"),
    "zipf-1": ("zipf", 2, ":8"),
    "random": ("random", 1.5, ""),      # of which the faults are timed
}
TIMED = ("random",)
TIMES = {"long": 20, "one": 2}      # OPS, of a variant
SHARED_FREE = 192       # MiB: 1,000 tasks have a stack in the kernel each
BEST = ("two-pass",)    # where the policy makes no difference, or costs time


@dataclass(frozen=True)
class Size:
    cpus: tuple = (1, 2, 4, 8)
    many: tuple = (16, 32)          # of one policy
    counted: tuple = (2, 4, 8, 16, 32)  # with icount, Weir alone
    curve: tuple = CURVE
    pairs: int = 5
    traced: int = 3                 # pairs that have traces
    tasks: bool = True      # the variant with an address space each, too
    sharers: tuple = (1, 10, 100, 1000)
    ahead: tuple = (0, 2, 4, 8, 16)     # most pages that are read ahead
    flushed: tuple = (16, 64, 256)      # pages that are read after a flush
    memory: tuple = ((64, 3), (256, 3), (1024, 2), (4096, 1))  # MiB, pairs


QUICK = Size(cpus=(CPUS,), many=(), counted=(), curve=(0, 50, 100), pairs=3,
             traced=1, tasks=False, sharers=(), ahead=(), flushed=(), memory=())


def group(pair, cpus=CPUS, variant="threads", runs=(100,), policies=BEST,
          accel="tcg", free=FREE, linux=True):
    """Weir's boots and the one of Linux that they are compared with."""
    both = [("weir", policy) for policy in policies]
    both += [("linux", "stock")] if linux else []
    return [Boot(system, policy, cpus, variant, accel, runs, pair, free)
            for system, policy in both]


def usual(size, pair):
    """With threads and tasks, under each policy."""
    boots = []
    for cpus in size.cpus:
        runs = size.curve if cpus == CPUS else (100,)
        boots += group(pair, cpus, runs=runs, policies=vm.POLICIES)
    if size.tasks:
        boots += group(pair, variant="procs", policies=vm.POLICIES)
        boots += group(pair, variant="long", policies=(*BEST, "lazy"))
    for cpus in size.many:
        boots += group(pair, cpus)
    return boots


def counted(size, pair):
    """Under icount. Linux does not start a second CPU there."""
    boots = group(pair, 1, accel="icount")
    for cpus in size.counted:
        boots += group(pair, cpus, accel="icount", linux=False)
    for tasks in size.sharers:
        boots += group(pair, 1, f"tasks-{tasks}", (tasks,), accel="icount",
                       free=SHARED_FREE, linux=False)
    for pages in size.ahead:
        boots += group(pair, 1, f"ahead-{pages}", accel="icount",
                       linux=False)
    return boots


def traced(size, pair):
    """Faults of a trace, and how long one takes on how many CPUs."""
    if pair > size.traced:
        return []
    return [boot for cpus in size.cpus for boot in group(
        pair, cpus, "one", tuple(TRACES) if cpus == CPUS else TIMED)]


def flushed(size, pair):
    """A range flushed page by page, or with everything, on one CPU."""
    return group(pair, 1, "flush", size.flushed, linux=False) \
        if size.flushed else []


def scaled(size, pair):
    return [boot for free, pairs in size.memory if pair <= pairs
            for boot in group(pair, variant=f"mem-{free}", free=free)]


def plan(size):
    """All boots, in order."""
    return [boot for pair in range(1, size.pairs + 1)
            for part in (usual, counted, traced, flushed, scaled)
            for boot in part(size, pair)]


# ---- what a boot is --------------------------------------------------------
def region(boot):
    """MiB"""
    return int(boot.free * TOUCHED)


def swap(boot):
    return max(SWAP, region(boot) * 5 // 4)


def options(boot):
    """Of its machine."""
    both = boot.free + swap(boot)
    own = WEIR_OWN + WEIR_OF * both + WEIR_CPU * boot.cpus
    kind, _, pages = boot.variant.partition("-")
    ahead = pages if kind == "ahead" else 0     # Linux reads none, too
    mine = {"mem": round(both + own), "swap": swap(boot),
            "tlb": boot.policy, "words": [f"readahead={ahead}"]} \
        if boot.system == "weir" else {}
    return vm.Options(cpus=boot.cpus, ram=round(both * 1.02) + REST,
                      accel=boot.accel, timeout=max(SECONDS, boot.free / 2),
                      **mine)


def parameters(boot):
    variant = "procs" if boot.variant == "procs" else "threads"
    return {"T": boot.cpus, "W": region(boot),
            "ops": OPS * TIMES.get(boot.variant, 1),
            "seed": boot.pair, "variant": variant}


def trace(boot, name):
    """As user/bench/trace.h wants it."""
    kind, by, more = TRACES[name]
    return f"{kind}:{int(boot.free * 256 * by)}{more}"


def command(boot):
    """The words for `tools/weir vm`."""
    def line(run):
        if boot.variant.startswith("tasks-"):
            return f"mapped --json tasks={run}"
        if boot.variant == "flush":
            return f"ranged --json work={run}"
        words = parameters(boot)
        if boot.variant == "one":
            return f"wl --json ops={words['ops']} seed={words['seed']} " \
                   f"trace={trace(boot, run)}"
        return " ".join(["wl --json", *(f"{k}={v}" for k, v in words.items()),
                         f"dirty={run}"])
    return ["sh", "-c", "; ".join(["vmstat", *map(line, boot.runs)])]


def peer_words(boot):
    """The parameters of tools/peer-linux/init.c."""
    runs = (trace(boot, run) if boot.variant == "one" else str(run)
            for run in boot.runs)
    return {**parameters(boot), "F": boot.free, "swap": swap(boot),
            "runs": ",".join(runs)}
