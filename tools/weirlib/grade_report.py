"""Reports from results.json: the console's, and those of other programs."""

import base64
import csv
import io
import json
import shlex
from pathlib import Path
from xml.etree import ElementTree

from weirlib.grade_boot import VERDICTS

SHOWN = {"public": "visible", "hidden": "hidden",
         "after_due": "after_due_date"}     # Gradescope's words
WORKFLOW = """\
# Grades each push; made by `tools/weir grade --classroom`.
name: Autograding Tests
on: [push, repository_dispatch]
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  autograding:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    steps:
      - uses: actions/checkout@v4
      - name: What the build and the machine need
        run: sudo apt-get update -q && tools/bootstrap && tools/weir setup --no-tests
      - name: {title}
        id: weir
        run: |
          tools/weir grade {lab} --json results.json --github result || true
          test -s result && cat result >> "$GITHUB_OUTPUT"
      - uses: classroom-resources/autograding-grading-reporter@v1
        env:
          WEIR_RESULTS: "${{{{ steps.weir.outputs.result }}}}"
        with:
          runners: weir
"""


def sorted_rows(done):
    """Worst first; what weighs more comes first among equals."""
    return sorted(done["tests"], key=lambda r: (
        VERDICTS.index(r["verdict"]), -r["points"]))


def facts(row):
    """The lines that explain a test that did not pass."""
    if row["verdict"] == "PASS":
        return []
    boot = next(b for b in row["boots"] if b["verdict"] == row["verdict"])
    cpus = f"{boot['cpus']} CPU" + "s" * (boot["cpus"] > 1)
    seed = f", seed {boot['seed']}" if boot["seed"] else ""
    lines = [f"{row['sentence']} ({cpus}{seed})"]
    lines += [f"not so: {fail}" for fail in boot["fails"][1:4]]
    lines += [f"  in {place}" for place in boot["trace"][:6]
              if place not in row["sentence"]]
    if row["hint"]:
        lines.append(f"hint: {row['hint']}")
    if row["see"]:
        lines.append(f"read: {row['see']}")
    return lines + [f"repeat: {row['repeat']}"]


def brief(row, seen):
    """The same, without the trace where its sentence was there before."""
    lines = facts(row)
    if row["sentence"] in seen:
        lines = [line for line in lines if not line.startswith("  in ")]
    seen.add(row["sentence"])
    return lines


def console(done):
    """Worst first; the last line is the score."""
    seen = set()
    lines = [f"{done['title']}: {done['lab']}"]
    if done["sentence"]:
        lines.append(f"{done['verdict']:12} {done['sentence']}")
    for row in sorted_rows(done):
        old = " (of an earlier lab)" if row["regression"] else ""
        lines.append(f"{row['verdict']:12} {row['earned']:3}/{row['points']}"
                     f"  {row['id']}: {row['title']}{old}")
        lines += [f"{'':12} {line}" for line in brief(row, seen)]
    lines += done["notes"]
    if not done["complete"]:
        lines.append("Not complete: where it says INFRA this host is to "
                     "blame, not the code; grade again.")
    lines.append(f"Score: {done['score']}/{done['total']}")
    return "\n".join(lines) + "\n"


def gradescope(done):
    tests = [{"name": f"{r['id']}: {r['title']}", "score": r["earned"],
              "max_score": r["points"], "output_format": "text",
              "status": "passed" if r["verdict"] == "PASS" else "failed",
              "visibility": SHOWN[r["visibility"]], "tags": [r["verdict"]],
              "output": "\n".join(facts(r))} for r in sorted_rows(done)]
    return json.dumps({
        "score": done["score"], "execution_time": round(done["seconds"]),
        "output": "\n".join([done["sentence"], *done["notes"]]).strip(),
        "visibility": "visible", "stdout_visibility": "hidden",
        "tests": tests}, indent=1) + "\n"


def github(done):
    """The line that GitHub Classroom's reporter wants of a step. What is
    not public is only counted."""
    tests = [{"name": r["title"] if r["visibility"] == "public" else "hidden",
              "score": r["earned"], "message": "", "test_code": "",
              "status": "pass" if r["verdict"] == "PASS" else "fail",
              "filename": "", "line_no": 0, "duration": 0,
              **({"message": "\n".join(facts(r)), "test_code": r["repeat"]}
                 if r["visibility"] == "public" else {})}
             for r in sorted_rows(done)]
    tests = tests or [{"name": done["verdict"], "score": 0,
                       "status": "error", "message": done["sentence"],
                       "test_code": "", "filename": "", "line_no": 0,
                       "duration": 0}]
    all_right = done["score"] == done["total"]
    text = json.dumps({"version": 1, "max_score": done["total"],
                       "status": "pass" if all_right else "fail",
                       "tests": tests})
    return f"result={base64.b64encode(text.encode()).decode()}\n"


def classroom(done):
    return WORKFLOW.format(lab=shlex.quote(done["lab"]),
                           title=json.dumps(done["title"]))


def printable(text):
    """XML has no place for most control characters."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?"
                   for c in text)


def junit(done):
    rows = sorted_rows(done)
    bad = [r for r in rows if r["verdict"] != "PASS"]
    errors = sum(r["verdict"] == "INFRA" for r in bad) + \
        (not rows and done["verdict"] != "PASS")
    suite = ElementTree.Element("testsuite", {
        "name": f"weir.{done['lab']}", "tests": str(len(rows) or 1),
        "failures": str(sum(r["verdict"] != "INFRA" for r in bad)),
        "errors": str(errors), "time": str(done["seconds"])})
    for r in rows:
        case = ElementTree.SubElement(suite, "testcase", {
            "classname": f"weir.{done['lab']}", "name": r["id"],
            "time": str(round(sum(b["seconds"] for b in r["boots"]), 2))})
        if r["verdict"] != "PASS":
            kind = "error" if r["verdict"] == "INFRA" else "failure"
            ElementTree.SubElement(case, kind, {
                "type": r["verdict"], "message": printable(r["sentence"])}
            ).text = printable("\n".join(facts(r)))
    if not rows:
        case = ElementTree.SubElement(suite, "testcase", {
            "classname": f"weir.{done['lab']}", "name": "build"})
        ElementTree.SubElement(case, "error", {
            "type": done["verdict"], "message": printable(done["sentence"])})
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + \
        ElementTree.tostring(suite, encoding="unicode") + "\n"


def tap(done):
    rows = done["tests"]
    lines = ["TAP version 13", f"1..{len(rows)}"]
    if not rows:
        lines = [lines[0], f"Bail out! {done['verdict']}: "
                 f"{done['sentence']}"]
    for number, r in enumerate(rows, 1):
        word = "ok" if r["verdict"] == "PASS" else "not ok"
        lines.append(f"{word} {number} - {r['id']} "
                     f"({r['earned']}/{r['points']}) {r['verdict']}")
        lines += [f"# {line}" for fact in facts(r)
                  for line in fact.splitlines()]
    return "\n".join(lines) + "\n"


def table(header, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def as_csv(done):
    return table(("test", "points", "earned", "verdict", "sentence"),
                 [(r["id"], r["points"], r["earned"], r["verdict"],
                   r["sentence"]) for r in sorted_rows(done)] or
                 [("", done["total"], 0, done["verdict"], done["sentence"])])


FORMATS = {"gradescope": gradescope, "classroom": classroom,
           "github": github, "junit": junit, "tap": tap, "csv": as_csv}


def write_all(done, args):
    """Those that the command line asks for."""
    for name, make in FORMATS.items():
        if getattr(args, name):
            Path(getattr(args, name)).write_text(make(done))
