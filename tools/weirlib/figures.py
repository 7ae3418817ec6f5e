"""`tools/weir figures`: measures, and writes the figures that docs/ shows.

docs/lru-mmap.md and .svg: flush rounds per 1,000 pages reclaimed from a file
larger than memory, by policy, number of CPUs and share of stores. Counts of
events, so a busy host changes them little; the command and the parameters
stand on the page.
"""

import importlib.util
import json
import sys

from weirlib import vm
from weirlib.vm import POLICIES

CPUS = (2, 4, 8)
DIRTY = (0, 5, 10, 25, 50, 75, 100)
CURVE_CPUS = 4
FILE_MIB = 24
PAGE = vm.ROOT / "docs/lru-mmap.md"
PICTURE = vm.ROOT / "docs/lru-mmap.svg"
TITLE = """\
# lru-mmap: a mapped file larger than memory

Made by `tools/weir figures`; do not edit. One task a CPU reads a sparse file of {mib} MiB that all have mapped, whose pager supplies zero
pages, in a machine with about 15 MiB of frames: once in order, each task from a start of its own, then as many pages at random
(`lru-mmap`, user/bench/lru-mmap.c). This is the workload of the series that deferred TLB flushing comes from. Clean pages of a pager are
dropped without IO; a dirty one is handed to its pager only after fence 1, as one that goes to swap is.

A round interrupts the other CPUs that run one of the tasks whose pages the batch holds, and waits for them.
"""


def measure(cpus, policy, dirty):
    """Rounds and pages reclaimed, of both phases together."""
    command = ["lru-mmap", "--json", f"W={FILE_MIB}", f"dirty={dirty}"]
    result = vm.run(vm.Options(cpus=cpus, mem=64, tlb=policy, timeout=300),
                    command)
    if result.status:
        raise SystemExit(f"{' '.join(command)} under {policy}: status "
                         f"{result.status} {result.verdict}")
    phases = [json.loads(line) for line in result.text.splitlines()]
    rounds = sum(p["nr_tlb_remote_flush"] for p in phases)
    pages = sum(p["pgsteal"] for p in phases)
    value = 1000 * rounds / pages
    print(f"{cpus} CPUs, {policy}, {dirty} % stores: {rounds} rounds, "
          f"{pages} pages reclaimed: {value:.1f}", file=sys.stderr)
    return value


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def draw(curve):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    matplotlib.rcParams["svg.hashsalt"] = "weir"
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for policy, marker in zip(POLICIES, "osv^"):
        axes.plot(DIRTY, curve[policy], marker=marker, label=policy)
    axes.set_xlabel("share of touches that are stores, per cent")
    axes.set_ylabel("flush rounds per 1,000 pages reclaimed")
    axes.set_title(f"lru-mmap on {CURVE_CPUS} CPUs")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None})


def figures(_args):
    if not importlib.util.find_spec("matplotlib"):
        print("tools/weir figures draws with python3-matplotlib, which is "
              "not installed", file=sys.stderr)
        return 1
    clean = {(cpus, policy): measure(cpus, policy, 0)
             for cpus in CPUS for policy in POLICIES}
    curve = {policy: [clean[CURVE_CPUS, policy] if dirty == 0 else
                      measure(CURVE_CPUS, policy, dirty) for dirty in DIRTY]
             for policy in POLICIES}
    page = TITLE.format(mib=FILE_MIB)
    page += "\n## Nothing is written\n\nRounds per 1,000 pages reclaimed.\n\n"
    page += table(["policy"] + [f"{c} CPUs" for c in CPUS], [
        [f"`{policy}`"] + [f"{clean[c, policy]:.1f}" for c in CPUS]
        for policy in POLICIES])
    page += (f"\n## A share of the touches are stores, {CURVE_CPUS} CPUs\n\n"
             f"![the curve]({PICTURE.name})\n\n")
    page += table(["policy"] + [f"{d} %" for d in DIRTY], [
        [f"`{policy}`"] + [f"{v:.1f}" for v in curve[policy]]
        for policy in POLICIES])
    PAGE.write_text(page)
    draw(curve)
    return 0


def add_verbs(sub):
    sub.add_parser("figures", help="measure, and write the figures of docs/ "
                   "(some minutes; needs python3-matplotlib)"
                   ).set_defaults(run=figures)
