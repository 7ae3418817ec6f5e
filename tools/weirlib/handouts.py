"""What the pages of labs/ say that others know better, between comments
`<!-- NAME -->` and `<!-- end of NAME -->`: points, from lab.toml; the list of
labs; the promises that a handout names, from docs/promises.md, which students
do not get. `tools/weir docs` writes it, tests/host/test_lab_figures.py says
when it is stale.
"""

import importlib
import re

from weirlib.vm import ROOT

LABS = ROOT / "labs"
PROMISE = re.compile(r"^\| ([PI]\d+) \| (.+?) \|", re.M)


def between(name):
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->\n)",
                      re.S)


def fill(text, name, table):
    """The page with the table in its place."""
    return between(name).sub(lambda match: match[1] + table + match[2], text)


def promises(text):
    """Those that the page names, with what they say."""
    text = between("promises").sub("", text)
    rows = PROMISE.findall((ROOT / "docs/promises.md").read_text())
    return "\n| | |\n|---|---|\n" + "".join(
        f"| {name} | {promise} |\n" for name, promise in rows
        if re.search(rf"\b{name}\b", text)) + "\n"


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


def files():
    """{path: what it must hold}: the handouts and the labs' README."""
    made = {path: fill(path.read_text(), "promises",
                       promises(path.read_text()))
            for path in sorted(LABS.glob("*/handout.md"))}
    if not any(LABS.glob("*/lab.toml")):
        return made
    lab = importlib.import_module("weirlib.lab")
    labs = [lab.load(one.name, ROOT) for one in lab.own_labs(ROOT)]
    for one in labs:
        path = LABS / one.name / "handout.md"
        if path in made:
            made[path] = fill(made[path], "grading", grading(one))
    path = LABS / "README.md"
    return made | {path: fill(path.read_text(), "labs", overview(labs))}
