"""The tables and plots of `make bench`, made of the rows of bench_rows.py.

FIGURES says which there are. build/bench.html has all in one file, its plots
are inline SVG; docs/performance.md has the tables and some of the plots, and
before them the text of bench.md; the README has the first table.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from weirlib import bench_plot, vm
from weirlib.bench_plan import CPUS, TRACES
from weirlib.bench_rows import DIRTY

HTML = vm.ROOT / "build/bench.html"
TEMPLATE = Path(__file__).with_name("bench.html")
DOCS = vm.ROOT / "docs/performance.md"
DOCS_PLOTS = ("ipis-cpus", "ipis-dirty", "traces", "latency", "scale")
TEXT = Path(__file__).with_name("bench.md")
README = vm.ROOT / "README.md"
BEGIN, END = "<!-- bench -->\n", "<!-- end of bench -->\n"
NEEDS = {"matplotlib": "python3-matplotlib", "jinja2": "python3-jinja2"}

WORKLOADS = ("populate", "read-rand", "write-rand", "sweep")
WRITE = {"workload": "write-rand", "dirty_fraction": 100,
         "variant": "threads"}
ONE = {"cpus": 1, "variant": "threads"}
ALONE = {"cpus": CPUS, "variant": "one"}
AT = {"cpus": CPUS, "variant": "threads"}
TIMED = {"workload": "random", "variant": "one"}


@dataclass(frozen=True)
class Figure:
    """A table and a plot: a line for each policy, by what differs."""
    name: str
    title: str
    metric: str
    column: str         # a key of the rows; or VARIANT-N: mem, tasks
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
           {"cpus": CPUS, "variant": "procs"}, True),
    Figure("fairness", f"The slowest thread's time by the fastest's, {CPUS} "
           "CPUs", "slowest_by_fastest", "workload",
           {"cpus": CPUS, "variant": "long"}),
    Figure("faults", f"Major faults per 1,000 accesses, {CPUS} CPUs",
           "major_faults_per_1000_ops", "workload", AT),
    Figure("traces", "Major faults per million accesses, one thread",
           "major_faults_per_million", "workload", ALONE),
    Figure("ratio-traces", "Major faults, Weir's by Linux's, one thread",
           "ratio_major_faults_per_million", "workload", ALONE),
    Figure("latency", "A fault that reads a page back: ns, median, one "
           "thread, by CPUs", "fault_ns_median", "cpus", TIMED, True),
    Figure("latency-p99", "A fault that reads a page back: ns, of 99 in 100, "
           "one thread, by CPUs", "fault_ns_p99", "cpus", TIMED, True),
    Figure("instructions-cpus", "Instructions per page moved, write-rand, "
           "icount, by CPUs", "instructions_per_page", "cpus", WRITE),
    Figure("time-memory", f"Microseconds per page moved, write-rand, {CPUS} "
           "CPUs, by MiB that are free", "us_per_page", "mem",
           {**WRITE, "cpus": CPUS, "variant": "mem"}),
    Figure("sharers", "Instructions per page reclaimed, 1 CPU, by tasks that "
           "map it", "instructions_per_page", "tasks",
           {"cpus": 1, "variant": "tasks"}, True),
    Figure("ahead-sweep", "Instructions per access in the order of the "
           "addresses (sweep), 1 CPU, by most pages read ahead",
           "instructions_per_op", "ahead",
           {"workload": "sweep", "cpus": 1, "variant": "ahead"}),
    Figure("ahead-random", "Instructions per access in random order "
           "(read-rand), 1 CPU, by most pages read ahead",
           "instructions_per_op", "ahead",
           {"workload": "read-rand", "cpus": 1, "variant": "ahead"}),
    Figure("ranged", "Pages flushed one by one: time by that of a full "
           "flush, by pages; then 16, 64 or 256 others are read",
           "page_by_page_by_full", "pages", {"cpus": 1, "variant": "pages"},
           True),
)
# What grows, in one plot; what it may grow by is a row of TARGETS.
SCALE = ("instructions-cpus", "time-cpus", "time-memory", "sharers")

# (what, policy, metric, the rows, at most)
TARGETS = (
    ("flush rounds per 1,000 pages swapped out", "two-pass",
     "rounds_per_1000_out", {**WRITE, "cpus": CPUS}, 20),
    ("TLB IPIs per 1,000 pages swapped out", "two-pass",
     "ipis_per_1000_out", {**WRITE, "cpus": CPUS}, 50),
    ("TLB IPIs per 1,000 frames reclaimed, all clean (read-rand after "
     "populate, long)", "lazy", "ipis_per_1000_reclaimed",
     {"workload": "read-rand", "dirty_fraction": 0, "variant": "long",
      "cpus": CPUS}, 5),
    ("time per page moved, by Linux's", "two-pass",
     "ratio_us_per_page", {**WRITE, "cpus": CPUS}, 0.33),
    ("instructions per page moved, 1 CPU", "two-pass",
     "instructions_per_page", {**WRITE, "cpus": 1}, 2000),
    ("the same on 8 CPUs, by that on 1", "two-pass",
     "growth_instructions_per_page", {**WRITE, "cpus": 8}, 1.5),
    *((f"major faults, {name}, by Linux's", "two-pass",
       "ratio_major_faults_per_million", {**ALONE, "workload": name}, 1)
      for name in TRACES if name not in ("random", "turns")),
)


@dataclass
class Table:
    title: str
    head: list
    rows: list
    panels: tuple = ()  # of its plot
    note: str = ""      # how busy the host was

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
    """Whose line it is in."""
    names = {"linux": "Linux", "optimum": "Belady"}
    if row["workload"].startswith("read-") and row["dirty_fraction"] is None:
        return row["workload"]
    return names.get(row["system"], row["policy"])


def place(row, column):
    """The row's column, or None: it has none."""
    if column == "workload":
        usual = DIRTY.get(row["workload"], 100)
        mine = row["dirty_fraction"] == usual or row["workload"] in TRACES
        return row["workload"] if mine else None
    if column in ("mem", "tasks", "ahead", "pages"):
        kind, _, n = row["variant"].partition("-")
        return int(n) if kind == column and n else None
    return row[column]


def fits(row, figure):
    where = dict(figure.where)
    if where.get("variant") == figure.column:
        del where["variant"]        # place() looks at it
    return row["metric"] == figure.metric and \
        place(row, figure.column) is not None and \
        all(row[k] == v for k, v in where.items())


def series(rows, figure):
    """({name: its rows}, the columns in order) of a figure."""
    lines, found = {}, set()
    for r in rows:
        if fits(r, figure):
            lines.setdefault(named(r), []).append(r)
            found.add(place(r, figure.column))
    order = [*WORKLOADS, *TRACES].index if figure.column == "workload" \
        else int
    return lines, sorted(found, key=order)


def span(values):
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def busy(shown):
    """How busy the host was during the rows' boots."""
    seconds = {}
    for r in shown:
        if r["system"] != "optimum":
            seconds.setdefault(named(r), []).append(r["qemu_cpu_seconds"])
    each = "; ".join(f"{name} {span(t)}" for name, t in seconds.items())
    return "Host: load average before a boot at most " \
        f"{max(r['host_load'] for r in shown)}, CPUs that something else " \
        f"used at most {max(r['other_cpus'] for r in shown)}. " \
        f"QEMU's CPU seconds, a boot: {each}."


def table(rows, figure):
    lines, columns = series(rows, figure)
    body = [[name] + [cell([r for r in line if
                            place(r, figure.column) == c])
                      for c in columns] for name, line in lines.items()]
    if not body:
        return Table(figure.title, [], [])
    return Table(figure.title, ["policy", *columns], body,
                 [panel(rows, figure)],
                 busy([r for line in lines.values() for r in line]))


def panel(rows, figure):
    """What bench_plot draws of a figure."""
    lines, columns = series(rows, figure)
    points = {name: [(place(r, figure.column), r["value"], r["min"],
                      r["max"]) for r in line]
              for name, line in lines.items()}
    return bench_plot.Panel(figure.metric, figure.column, columns, points,
                            figure.log)


def growth(rows, figure):
    """Cells of `scale`: from the least to the most of a figure's column."""
    for name, line in series(rows, figure)[0].items():
        values = {place(r, figure.column): r["value"] for r in line}
        low, high = min(values), max(values)
        if low < high:
            yield [figure.title, name, low, number(values[low]), high,
                   number(values[high]), number(values[high] / values[low])]


def scale(rows):
    """What grows with CPUs, memory and sharers, in one plot."""
    head = ["figure", "policy", "from", "", "to", "", "times"]
    figures = [f for f in FIGURES if f.name in SCALE and series(rows, f)[0]]
    body = [cells for f in figures for cells in growth(rows, f)]
    if not body:
        return Table("What grows", head, [])
    return Table("What grows", head, body, [panel(rows, f) for f in figures],
                 busy([r for r in rows for f in figures if fits(r, f)]))


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
    systems = ("weir", "linux")
    free = {name: [r["value"] for r in select(
        rows, metric="free_mib", variant="threads", system=name)]
        for name in systems}
    seconds = {name: [r["qemu_cpu_seconds"] for r in select(
        rows, system=name)] for name in systems}
    return [
        rows[0]["versions"] + ".",
        f"Workload: {rows[0]['parameters']} (MiB); both in the same machine "
        f"({', '.join(sorted({r['accel'] for r in rows}))}). Free before: "
        + ", ".join(f"{k} {span(v)} MiB" for k, v in free.items() if v)
        + ".",
        f"Medians of {max(r['pairs'] for r in rows)} pairs of boots "
        "[least-greatest]; ratios are taken within a pair.",
        "The host: load average before a boot at most "
        f"{max(r['host_load'] for r in rows)}; CPUs that something else "
        f"used, at most {max(r['other_cpus'] for r in rows)} (above 0.1 the "
        "times are noisy); CPU seconds of QEMU, a boot: "
        + ", ".join(f"{k} {span(t)}" for k, t in seconds.items() if t) + ".",
        "TLB IPIs are flush requests that other CPUs handled. Debian's kernel "
        "does not count rounds. On a RAM disk Linux gives a page's slot "
        "back when it reads it, so that it writes again what nobody changed.",
        "Under icount a figure has the instructions of all that ran "
        "meanwhile, and the time that all waited.",
    ]


# ---- pages -----------------------------------------------------------------
def tables(rows):
    """Those that something was measured for."""
    found = [(figure.name, table(rows, figure)) for figure in FIGURES]
    found.append(("scale", scale(rows)))
    return [(name, t) for name, t in found if t.rows]


def html(rows):
    import jinja2
    page = jinja2.Template(TEMPLATE.read_text(), autoescape=True,
                           undefined=jinja2.StrictUndefined)
    return page.render(about=about(rows), headline=headline(rows),
                       tables=tables(rows), draw=bench_plot.inline)


def markdown(rows):
    parts = ["# Performance: beside Linux\n", "Made by `tools/weir bench "
             "--docs` after `make bench`; do not edit.\n", TEXT.read_text()]
    parts += [f"- {line}" for line in about(rows)] + [""]
    for name, t in [("", headline(rows)), *tables(rows)]:
        parts += [f"## {t.title}\n"]
        if name in DOCS_PLOTS:
            parts += [f"![{t.title}](performance/{name}.svg)\n"]
        parts += [*t.lines(), ""] + ([t.note, ""] if t.note else [])
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
    plots = DOCS.with_suffix("")
    plots.mkdir(exist_ok=True)
    for name, t in tables(rows):
        if name in DOCS_PLOTS:
            (plots / f"{name}.svg").write_text(
                bench_plot.svg(name, t.panels))
    README.write_text(with_headline(README.read_text(), rows))
