"""The plots of `make bench`: SVG, with matplotlib."""

import io
import math
import re
from dataclasses import dataclass

from weirlib import vm

X_LABELS = {"cpus": "CPUs", "mem": "MiB that are free", "workload": None,
            "tasks": "tasks that map the page",
            "ahead": "most pages that are read ahead",
            "pages": "pages that are flushed",
            "dirty_fraction": "accesses that write, per cent"}
Y_LABELS = {
    "rounds_per_1000_out": "flush rounds per 1,000 pages out",
    "ipis_per_1000_out": "TLB IPIs per 1,000 pages out",
    "rounds_per_1000_reclaimed": "flush rounds per 1,000 frames",
    "ipis_per_1000_reclaimed": "TLB IPIs per 1,000 frames",
    "us_per_page": "us per page moved",
    "us_per_op": "us per access",
    "instructions_per_page": "instructions per page",
    "instructions_per_op": "instructions per access",
    "page_by_page_by_full": "one by one / all",
    "ratio_us_per_page": "Weir / Linux",
    "ratio_major_faults_per_million": "Weir / Linux",
    "slowest_by_fastest": "slowest / fastest",
    "major_faults_per_1000_ops": "major faults per 1,000 accesses",
    "major_faults_per_million": "major faults per million accesses",
    "fault_ns_median": "ns, median",
    "fault_ns_p99": "ns, 99 in 100 take less",
}
LOG_X = {"cpus": 2, "mem": 2, "tasks": 10, "pages": 2}     # column: base
# A line looks the same in all plots.
LOOKS = {name: {"color": f"C{i}", "marker": "osv^DPX*"[i]}
         for i, name in enumerate(vm.POLICIES)}
LOOKS["Linux"] = {"color": "black", "marker": "x"}
LOOKS["Belady"] = {"color": "dimgray", "marker": "_", "markersize": 14,
                   "markeredgewidth": 2}


@dataclass
class Panel:
    """One pair of axes."""
    metric: str
    column: str
    columns: list
    lines: dict         # name: [(column, value, least, greatest), ...]
    log: bool


def scale_y(axes, panel):
    """From 0, or in powers of 10, with a 0 only where there is one."""
    values = [v for points in panel.lines.values()
              for _, *line in points for v in line]
    if panel.log and min(values) > 0:
        axes.set_yscale("log")
        axes.set_ylim(10 ** math.floor(math.log10(min(values))),
                      10 ** math.ceil(math.log10(1.05 * max(values))))
    elif panel.log:
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(0, 2 * max(values))
    else:
        axes.set_ylim(0, 1.05 * max(values) or 1)
        if max(values) >= 1000:
            axes.yaxis.set_major_formatter("{x:,.0f}")


def draw(axes, panel):
    words = panel.column == "workload"
    for i, (name, points) in enumerate(panel.lines.items()):
        beside = 0.1 * (i - (len(panel.lines) - 1) / 2)
        x, y, low, high = zip(*sorted(
            (panel.columns.index(c) + beside if words else c, *rest)
            for c, *rest in points))
        axes.errorbar(x, y, yerr=([v - l for v, l in zip(y, low)],
                                  [h - v for v, h in zip(y, high)]),
                      label=name, capsize=3, **LOOKS.get(name, {}),
                      linestyle="none" if words else "-")
    if panel.column in LOG_X and len(panel.columns) > 1:
        axes.set_xscale("log", base=LOG_X[panel.column])
    axes.set_xticks(range(len(panel.columns)) if words else panel.columns,
                    [str(c) for c in panel.columns])
    axes.minorticks_off()
    scale_y(axes, panel)
    axes.set_xlabel(X_LABELS[panel.column])
    axes.set_ylabel(Y_LABELS[panel.metric])
    if panel.metric.startswith("ratio_"):
        axes.axhline(1, color="black", linewidth=0.8)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


def svg(name, panels):
    """A picture of one or more Panels, as a file's text."""
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    across = min(len(panels), 2)
    down = -(-len(panels) // across)
    with matplotlib.rc_context({"svg.fonttype": "none",
                                "svg.hashsalt": name}):
        picture, grid = pyplot.subplots(
            down, across, squeeze=False,
            figsize=(7 if across == 1 else 12, 4 * down))
        for axes, panel in zip(grid.flat, panels):
            draw(axes, panel)
        for axes in grid.flat[len(panels):]:
            axes.remove()
        picture.tight_layout()
        out = io.StringIO()
        picture.savefig(out, format="svg", metadata=dict.fromkeys(
            ("Creator", "Date", "Format", "Type")))
        pyplot.close(picture)
    return out.getvalue()


def inline(name, panels):
    """For a page of HTML: no name spaces, and ids of its own."""
    text = svg(name, panels)
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
