"""The table of points in each lab's handout, and that of the labs, from lab.toml:
`tools/weir docs` writes them, tests/host/test_lab_figures.py says when they
are stale.
"""

import importlib
import re

from weirlib.vm import ROOT

LABS = ROOT / "labs"
TABLE = re.compile(r"(<!-- (?:grading|labs) -->\n).*?"
                   r"(<!-- end of (?:grading|labs) -->\n)", re.S)


def grading(lab):
    """The table of a lab.Lab; tests that students do not see share a row."""
    lines = [f"About {lab.hours} hours.\n\n",
             "| test | what it looks at | boots | points |\n",
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


def overview(labs):
    """The table of all labs."""
    lines = ["| | lab | | hours | points | of these the starter has |\n",
             "|---|---|---|---|---|---|\n"]
    lines += [f"| {lab.number or 'elective'} | "
              f"[{lab.name}]({lab.name}/handout.md) | {lab.title} | "
              f"{lab.hours} | {lab.total} | {lab.floor} |\n" for lab in labs]
    return "\n" + "".join(lines) + "\n"


def filled(path, table):
    """The page's text with the table in its place."""
    return TABLE.sub(lambda match: match[1] + table + match[2],
                     path.read_text())


def files():
    """{path: what it must hold}: the labs' README and handouts."""
    if not any(LABS.glob("*/lab.toml")):
        return {}
    lab = importlib.import_module("weirlib.lab")
    labs = [lab.load(one.name, ROOT) for one in lab.own_labs(ROOT)]
    pages = {LABS / one.name / "handout.md": grading(one) for one in labs}
    pages[LABS / "README.md"] = overview(labs)
    return {path: filled(path, table) for path, table in pages.items()
            if path.exists()}
