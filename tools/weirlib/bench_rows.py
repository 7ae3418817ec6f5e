"""From what the workload printed to the rows of build/bench.json.

A row is one figure: the median over all pairs of boots, least and greatest
beside it. Each has SCHEMA in `schema`; a change that breaks a reader raises
it. KEYS are what a reader selects by; the others say what it came from.
`dirty_fraction` is the share of accesses that are stores, in per cent; null
where there are none. `variant`: threads share an address space, procs have
one each; one: a single thread; long: more accesses; mem-N: N MiB free, and
half as much again is touched; tasks-N: the pages are mapped by N tasks;
ahead-N: at most N pages are read ahead, else none; pages-N: N are flushed, then
as many read as the workload's name says.
Linux's policy is "stock"; system "optimum" is what Belady's choice would have
had, with as many frames as Weir found free in the same pair. The metrics:

  rounds_per_1000_out         flush rounds (not counted by Debian's kernel)
  ipis_per_1000_out           flush requests that other CPUs handled: Weir's
                              nr_tlb_remote_flush_received, and TLB in
                              Linux's /proc/interrupts, which counts the same
  ..._per_1000_reclaimed      the same by frames that reclaim freed, clean
                              ones, too
  us_per_page, us_per_op      time by pages in and out; by accesses
  instructions_per_page, _op  virtual time under icount, which is
                              instructions, and whatever all CPUs waited
  major_faults_per_1000_ops   pages that an access had to wait for
  major_faults_per_million    the same by accesses of a trace
  fault_ns_median, _p99       what an access took that was a major fault
  page_by_page_by_full        time that it takes to flush pages one by one, by
                              that of a full flush
  slowest_by_fastest          time of the slowest worker by the fastest's: all
                              do as much, so 1 is fair. Only of phases that
                              are long beside QEMU's turns
  free_mib                    what the workload finds free
  ratio_METRIC                Weir's by Linux's, in each pair
  growth_METRIC               of instructions: by those of one CPU
"""

import statistics
from dataclasses import asdict, dataclass

from weirlib import vm

SCHEMA = 1
KEYS = ("system", "policy", "cpus", "workload", "variant", "dirty_fraction",
        "metric")
LEAST = 100     # pages, accesses: of fewer there is no rate
NO_RATIO = ("free_mib",)
# Guest CPUs that the host has no CPU for take turns of up to 100 ms: who
# needs no more than one turn has the whole machine, and waits for none.
FAIR_NS = 10 * 100_000_000      # for each CPU
# Share of accesses that are stores, per cent. write-rand has it of its own.
DIRTY = {"populate": 100, "read-rand": 0, "sweep": 0}


@dataclass(frozen=True)
class Boot:
    """One boot, which runs the workload once for each of `runs`."""
    system: str         # "weir", "linux"
    policy: str
    cpus: int
    variant: str
    accel: str
    runs: tuple         # per cent of stores, or names of TRACES; or tasks
    pair: int
    free: int           # MiB that the workload finds free


@dataclass(frozen=True)
class Host:
    """What the host did meanwhile."""
    host_load: float            # average of a minute, before
    qemu_cpu_seconds: float
    other_cpus: float           # that something else used, on average


@dataclass(frozen=True)
class Sample:
    """One figure of one boot."""
    key: tuple          # KEYS
    unit: str
    value: float
    boot: Boot
    host: Host


def rate(amount, of, scale=1):
    if amount is None or of < LEAST:
        return None
    return amount * scale / of


def counts(phase):
    """{metric: (value or None, unit)} of events."""
    out, ops = phase["pswpout"], phase["ops"]
    freed = phase["pgsteal_kswapd"] + phase["pgsteal_direct"]
    ipis = phase["nr_tlb_remote_flush_received"]
    events = {"rounds": phase["nr_tlb_remote_flush"],
              "ipis": phase["irq_tlb"] if ipis is None else ipis}
    found = {"major_faults_per_1000_ops":
             (rate(phase["pgmajfault"], ops, 1000), "per 1000 ops")}
    for name, n in events.items():
        found[f"{name}_per_1000_out"] = \
            rate(n, out, 1000), "per 1000 pages out"
        found[f"{name}_per_1000_reclaimed"] = \
            rate(n, freed, 1000), "per 1000 frames"
    return found


def times(phase, accel):
    moved, ns = phase["pswpin"] + phase["pswpout"], phase["elapsed_ns"]
    if accel == "icount":
        name, unit, amount = "instructions", "instructions", \
            ns / (1 << vm.ICOUNT_SHIFT)
    else:
        name, unit, amount = "us", "us", ns / 1000
    found = {f"{name}_per_page": (rate(amount, moved), unit),
             f"{name}_per_op": (rate(amount, phase["ops"]), unit)}
    if accel != "icount" and phase["T"] > 1 and \
            ns >= phase["T"] * FAIR_NS:
        found["slowest_by_fastest"] = \
            phase["slowest_ns"] / phase["fastest_ns"], "times"
    return found


def traced(phase):
    """Of one thread in the order of a trace."""
    million = "per million accesses"
    found = {"major_faults_per_million":
             (rate(phase["pgmajfault"], phase["ops"], 10 ** 6), million)}
    for metric, key in (("fault_ns_median", "p50_ns"),
                        ("fault_ns_p99", "p99_ns")):
        enough = phase["samples"] >= LEAST
        found[metric] = phase[key] if enough else None, "ns"
    return found


def figures(boot, phase):
    """{metric: (value or None, unit)}"""
    if boot.variant.startswith("tasks-"):
        n = phase["elapsed_ns"] / (1 << vm.ICOUNT_SHIFT)
        return {"instructions_per_page":
                (rate(n, phase["unmapped"]), "instructions")}
    if boot.variant == "flush":
        return {"page_by_page_by_full":
                (phase["one_by_one_ns"] / phase["all_ns"], "times")}
    found = times(phase, boot.accel)
    if boot.accel != "icount":
        found.update(traced(phase) if boot.variant == "one"
                     else counts(phase))
    return found


def samples(boot, phases, free_mib, host):
    """The figures of one boot. Only write-rand differs with `dirty`, so the
    other phases are taken from one run."""
    def sample(workload, dirty, metric, value, unit, variant=boot.variant):
        return Sample((boot.system, boot.policy, boot.cpus, workload,
                       variant, dirty, metric), unit, value, boot, host)

    found = []
    if boot.accel != "icount":
        found.append(sample("boot", None, "free_mib", free_mib, "MiB"))
    for phase in phases:
        workload = phase["phase"]
        if workload in DIRTY and phase["dirty"] != 100:
            continue
        dirty = 0 if boot.variant == "one" else \
            DIRTY.get(workload, phase["dirty"])
        variant = boot.variant
        if variant == "flush":
            variant = f"pages-{phase['pages']}"
        found += [sample(workload, dirty, metric, value, unit, variant) for
                  metric, (value, unit) in figures(boot, phase).items()
                  if value is not None]
    return found


def ratios(found):
    """Weir's by Linux's of the same pair, where Linux's is not 0."""
    linux = {(s.key[2:], s.boot.pair): s for s in found
             if s.key[0] == "linux" and s.value}
    pairs = ((s, linux.get((s.key[2:], s.boot.pair))) for s in found
             if s.key[0] == "weir" and s.key[-1] not in NO_RATIO)
    return [Sample((*ours.key[:-1], "ratio_" + ours.key[-1]), "weir/linux",
                   ours.value / theirs.value, ours.boot, ours.host)
            for ours, theirs in pairs if theirs]


def growths(found):
    """By what one CPU takes in the same pair."""
    def beside(s):
        return (*s.key[:2], *s.key[3:], s.boot.pair)

    counted = [s for s in found if s.key[-1] == "instructions_per_page"]
    one = {beside(s): s.value for s in counted if s.boot.cpus == 1}
    return [Sample((*s.key[:-1], "growth_" + s.key[-1]), "times",
                   s.value / one[beside(s)], s.boot, s.host)
            for s in counted if s.boot.cpus > 1 and beside(s) in one]


def row(key, group, facts):
    values = [s.value for s in group]
    hosts = [asdict(s.host) for s in group]
    return {**dict(zip(KEYS, key)), "value": statistics.median(values),
            "unit": group[0].unit, "schema": SCHEMA, "min": min(values),
            "max": max(values), "pairs": len(values),
            "accel": group[0].boot.accel,
            "host_load": max(h["host_load"] for h in hosts),
            "other_cpus": max(h["other_cpus"] for h in hosts),
            "qemu_cpu_seconds": statistics.median(
                h["qemu_cpu_seconds"] for h in hosts), **facts}


def rows(found, facts):
    """All rows. `facts` are the same in each: versions, parameters."""
    groups = {}
    for s in [*found, *ratios(found), *growths(found)]:
        groups.setdefault(s.key, []).append(s)
    return [row(key, group, facts) for key, group in groups.items()]
