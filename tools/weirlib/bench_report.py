"""The tables and plots of `make bench`, made of the rows of bench_rows.py.

FIGURES says which there are. build/bench.html has all in one file, its plots
are inline SVG; docs/performance.md has the tables, the README the first.
"""

import importlib.util
import io
import re
from dataclasses import dataclass
from pathlib import Path

from weirlib import vm
from weirlib.bench_rows import DIRTY

HTML = vm.ROOT / "build/bench.html"
TEMPLATE = Path(__file__).with_name("bench.html")
DOCS = vm.ROOT / "docs/performance.md"
README = vm.ROOT / "README.md"
BEGIN, END = "<!-- bench -->\n", "<!-- end of bench -->\n"
NEEDS = {"matplotlib": "python3-matplotlib", "jinja2": "python3-jinja2"}

CPUS = 4                # of what has only one number of CPUs
WORKLOADS = ("populate", "read-rand", "write-rand", "sweep")
WRITE = {"workload": "write-rand", "dirty_fraction": 100,
         "variant": "threads"}
ONE = {"cpus": 1, "variant": "threads"}
AT = {"cpus": CPUS, "variant": "threads"}


@dataclass(frozen=True)
class Figure:
    """A table and a plot: a line for each policy, by what differs."""
    name: str
    title: str
    metric: str
    column: str         # a key of the rows
    where: dict
    log: bool = False


FIGURES = (
    Figure("rounds-cpus", "Flush rounds per 1,000 pages swapped out, "
           "write-rand, by CPUs", "rounds_per_1000_out", "cpus", WRITE, True),
    Figure("ipis-cpus", "TLB IPIs per 1,000 pages swapped out, write-rand, "
           "by CPUs", "ipis_per_1000_out", "cpus", WRITE, True),
    Figure("rounds-dirty", f"Flush rounds per 1,000 frames reclaimed, "
           f"{CPUS} CPUs, by per cent of accesses that write",
           "rounds_per_1000_reclaimed", "dirty_fraction",
           {**AT, "workload": "write-rand"}, True),
    Figure("ipis-dirty", f"TLB IPIs per 1,000 frames reclaimed, {CPUS} CPUs, "
           "by per cent of accesses that write",
           "ipis_per_1000_reclaimed", "dirty_fraction",
           {**AT, "workload": "write-rand"}, True),
    Figure("time-cpus", "Microseconds per page moved, write-rand, by CPUs",
           "us_per_page", "cpus", WRITE),
    Figure("time-phases", f"Microseconds per page moved, {CPUS} CPUs",
           "us_per_page", "workload", AT),
    Figure("time-ops", f"Microseconds per access, {CPUS} CPUs, by per cent "
           "of accesses that write", "us_per_op", "dirty_fraction",
           {**AT, "workload": "write-rand"}),
    Figure("instructions", "Instructions per page moved, 1 CPU, icount",
           "instructions_per_page", "workload", ONE),
    Figure("ratio-time", "Time per page moved, Weir's by Linux's, "
           f"{CPUS} CPUs", "ratio_us_per_page", "workload", AT),
    Figure("tasks", f"TLB IPIs per 1,000 pages swapped out, {CPUS} tasks on "
           f"{CPUS} CPUs", "ipis_per_1000_out", "workload",
           {"cpus": CPUS, "variant": "procs"}),
    Figure("fairness", f"The slowest thread's time by the fastest's, {CPUS} "
           "CPUs", "slowest_by_fastest", "workload", AT),
    Figure("faults", f"Major faults per 1,000 accesses, {CPUS} CPUs",
           "major_faults_per_1000_ops", "workload", AT),
)

# (what, policy, metric, the rows, at most)
TARGETS = (
    ("flush rounds per 1,000 pages swapped out", "two-pass",
     "rounds_per_1000_out", {**WRITE, "cpus": CPUS}, 20),
    ("TLB IPIs per 1,000 pages swapped out", "two-pass",
     "ipis_per_1000_out", {**WRITE, "cpus": CPUS}, 50),
    ("the same while pages are only read (read-rand)", "lazy",
     "ipis_per_1000_out", {**AT, "workload": "read-rand"}, 5),
    ("time per page moved, by Linux's", "two-pass",
     "ratio_us_per_page", {**WRITE, "cpus": CPUS}, 0.33),
    ("instructions per page moved, 1 CPU", "two-pass",
     "instructions_per_page", {**WRITE, "cpus": 1}, 2000),
)


@dataclass
class Table:
    title: str
    head: list
    rows: list
    plot: str = ""      # SVG

    def lines(self):
        cells = [self.head, ["---"] * len(self.head), *self.rows]
        return ["| " + " | ".join(map(str, line)) + " |" for line in cells]


def lacks():
    """The Debian packages that are not installed, in one string."""
    return ", ".join(package for name, package in NEEDS.items()
                     if importlib.util.find_spec(name) is None)


def select(rows, **where):
    return [r for r in rows if all(r[k] == v for k, v in where.items())]


def number(value):
    """Three digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cell(found):
    """Of one row or none: the median [least-greatest]."""
    if not found:
        return "-"
    r = found[0]
    spread = f" [{number(r['min'])}-{number(r['max'])}]" \
        if r["pairs"] > 1 else ""
    return number(r["value"]) + spread


def named(row):
    return "Linux" if row["system"] == "linux" else row["policy"]


def series(rows, figure):
    """({policy: its rows}, the columns in order) of a figure."""
    lines, words = {}, figure.column == "workload"
    for r in select(rows, metric=figure.metric, **figure.where):
        if words and r["dirty_fraction"] != DIRTY.get(r["workload"], 100):
            continue
        lines.setdefault(named(r), []).append(r)
    columns = {r[figure.column] for line in lines.values() for r in line}
    order = WORKLOADS.index if words else int
    return lines, sorted(columns, key=order)


def table(rows, figure):
    lines, columns = series(rows, figure)
    body = [[name] + [cell(select(line, **{figure.column: c}))
                      for c in columns] for name, line in lines.items()]
    return Table(figure.title, ["policy", *columns], body,
                 svg(figure, lines, columns) if lines else "")


def headline(rows):
    body = []
    for what, policy, metric, where, most in TARGETS:
        ours = select(rows, system="weir", policy=policy, metric=metric,
                      **where)
        linux = select(rows, system="linux", metric=metric, **where)
        reached = "" if not ours else \
            "yes" if ours[0]["value"] <= most else "no"
        body.append([what, policy, cell(linux), cell(ours), number(most),
                     reached])
    return Table("What is to be reached", ["figure", "policy", "Linux",
                                           "Weir", "at most", "reached"],
                 body)


def about(rows):
    """Lines of text: with what, and on how busy a host, it was measured."""
    if not rows:
        return ["Nothing was measured."]
    free = {r["system"]: r["value"] for r in select(rows, metric="free_mib")}
    seconds = {(r["system"], r["qemu_cpu_seconds"]) for r in rows}
    return [
        rows[0]["versions"] + ".",
        f"Workload: {rows[0]['parameters']} (MiB); both in the same machine "
        f"({', '.join(sorted({r['accel'] for r in rows}))}). Free before: "
        + ", ".join(f"{k} {v:.1f} MiB" for k, v in free.items()) + ".",
        f"Medians of {max(r['pairs'] for r in rows)} pairs of boots "
        "[least-greatest]; ratios are taken within a pair.",
        "The host: load average before a boot at most "
        f"{max(r['host_load'] for r in rows)}; CPUs that something else "
        f"used, at most {max(r['other_cpus'] for r in rows)} (above 0.1 the "
        "times are noisy); CPU seconds of QEMU, a boot: "
        + ", ".join(f"{system} {min(t)} to {max(t)}" for system in free
                    if (t := [s for n, s in seconds if n == system])) + ".",
        "TLB IPIs are flush requests that other CPUs handled. Debian's kernel "
        "does not count rounds. On a RAM disk Linux gives a page's slot "
        "back when it reads it, so that it writes again what nobody changed.",
        "Under icount a figure has the instructions of all that ran "
        "meanwhile, and the time that all waited.",
    ]


# ---- plots -----------------------------------------------------------------
def draw(axes, figure, lines, columns):
    words = figure.column == "workload"
    for (name, line), marker in zip(lines.items(), "osv^DPX*"):
        at = [columns.index(r[figure.column]) if words
              else r[figure.column] for r in line]
        points = sorted((x, r["value"], r["value"] - r["min"],
                         r["max"] - r["value"]) for x, r in zip(at, line))
        x, y, below, above = zip(*points)
        axes.errorbar(x, y, yerr=(below, above), marker=marker, label=name,
                      capsize=3, linestyle="none" if words else "-",
                      color="black" if name == "Linux" else None)
    if figure.log:
        axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(columns)) if words else columns,
                    [str(c) for c in columns])
    axes.set_xlabel(figure.column.replace("dirty_fraction", "per cent"))
    axes.set_ylabel(figure.metric)
    axes.grid(alpha=0.3)
    axes.legend()


def svg(figure, lines, columns):
    """For a page of HTML: no name spaces, and ids of its own."""
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    with matplotlib.rc_context({"svg.fonttype": "none",
                                "svg.hashsalt": figure.name}):
        picture, axes = pyplot.subplots(figsize=(7, 4))
        draw(axes, figure, lines, columns)
        picture.tight_layout()
        out = io.StringIO()
        picture.savefig(out, format="svg", metadata=dict.fromkeys(
            ("Creator", "Date", "Format", "Type")))
        pyplot.close(picture)
    text = out.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{figure.name}-", text)


# ---- pages -----------------------------------------------------------------
def tables(rows):
    """Those that something was measured for."""
    found = [(figure, table(rows, figure)) for figure in FIGURES]
    return [(figure.name, t) for figure, t in found if t.rows]


def html(rows):
    import jinja2
    page = jinja2.Template(TEMPLATE.read_text(), autoescape=True,
                           undefined=jinja2.StrictUndefined)
    return page.render(about=about(rows), headline=headline(rows),
                       tables=tables(rows))


def markdown(rows):
    parts = ["# Performance: beside Linux\n", "Made by `tools/weir bench "
             "--docs` after `make bench`; do not edit.\n"]
    parts += [f"- {line}" for line in about(rows)] + [""]
    for t in [headline(rows), *(t for _, t in tables(rows))]:
        parts += [f"## {t.title}\n", *t.lines(), ""]
    return "\n".join(parts)


def write_html(rows):
    HTML.write_text(html(rows))
    return HTML


def with_headline(readme, rows):
    """The README's text with the first table between its marks."""
    before, mark, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError("the README has no place for the figures")
    lines = "\n".join(headline(rows).lines())
    return f"{before}{BEGIN}{lines}\n{END}{after}"


def write_docs(rows):
    DOCS.write_text(markdown(rows))
    README.write_text(with_headline(README.read_text(), rows))
