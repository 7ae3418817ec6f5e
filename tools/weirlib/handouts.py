"""The table of points in each lab's handout, from its lab.toml: `tools/weir
docs` writes it, tests/host/test_lab_figures.py says when it is stale.
"""

import importlib
import re

from weirlib.vm import ROOT

LABS = ROOT / "labs"
TABLE = re.compile(r"(<!-- grading -->\n).*?(<!-- end of grading -->\n)", re.S)


def grading(lab):
    """The table of a lab.Lab; tests that students do not see share a row."""
    lines = ["| test | what it looks at | boots | points |\n",
             "|---|---|---|---|\n"]
    seen = [t for t in lab.tests
            if t.visibility == "public" and not t.regression]
    for test in seen:
        cpus = ", ".join(map(str, test.cpus))
        cpus += " CPU" if test.cpus == [1] else " CPUs"
        seeds = f", {test.seeds} seeds" if test.seeds > 1 else ""
        lines.append(f"| `{test.id}` | {test.title} | {cpus}{seeds} | "
                     f"{test.points} |\n")
    for what, tests in (
            ("of earlier labs", [t for t in lab.tests if t.regression]),
            ("that you do not see", [t for t in lab.tests
                                     if t.visibility != "public"])):
        if tests:
            lines.append(f"| {len(tests)} more | tests {what} | | "
                         f"{sum(t.points for t in tests)} |\n")
    lines.append(f"| | **all**; the starter has {lab.floor} | | "
                 f"**{lab.total}** |\n")
    return "\n" + "".join(lines) + "\n"


def files():
    """{path: what it must hold}, of each lab's handout."""
    if not any(LABS.glob("*/lab.toml")):
        return {}
    labs = importlib.import_module("weirlib.lab")
    made = {}
    for path in sorted(LABS.glob("*/handout.md")):
        if (path.parent / "lab.toml").exists():
            table = grading(labs.load(path.parent.name, ROOT))
            made[path] = TABLE.sub(lambda m, t=table: m[1] + t + m[2],
                                   path.read_text())
    return made
