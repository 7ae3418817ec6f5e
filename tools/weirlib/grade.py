"""`make grade LAB=NAME`: builds, boots each test, says what each is worth.

One boot for each test, number of CPUs and seed, as many at a time as there
are processors for their CPUs. docs/grading.md says what the verdicts mean;
results.json, from which all other reports are made (grade_report.py), is
described there, too.
"""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weirlib import grade_boot, grade_build, grade_report, lab as labs
from weirlib.grade_boot import VERDICTS
from weirlib.vm import ROOT

SCHEMA = "weir-grade/1"


class Cores:
    """Who boots N CPUs takes N of the host's processors, at most all."""

    def __init__(self, count=None):
        self.count = self.free = count or os.cpu_count() or 1
        self.changed = threading.Condition()

    def take(self, wanted):
        wanted = min(wanted, self.count)
        with self.changed:
            self.changed.wait_for(lambda: self.free >= wanted)
            self.free -= wanted
        return wanted

    def give(self, taken):
        with self.changed:
            self.free += taken
            self.changed.notify_all()


def worst(verdicts):
    return min(verdicts, key=VERDICTS.index, default="PASS")


def row(test, outcomes):
    """What results.json says of a test, whichever boot ended first."""
    outcomes = sorted(outcomes, key=lambda o: (o.cpus, o.seed or 0))
    right, out_of = min((o.share for o in outcomes),
                        key=lambda share: share[0] / share[1])
    verdict = worst(o.verdict for o in outcomes)
    first = next(o for o in outcomes if o.verdict == verdict)
    return {"id": test.id, "title": test.title, "points": test.points,
            "earned": test.points * right // out_of, "verdict": verdict,
            "sentence": first.sentence, "hint": test.hint, "see": test.see,
            "visibility": test.visibility, "regression": test.regression,
            "repeat": "" if verdict == "PASS" else first.repeat,
            "boots": [vars(o) for o in outcomes]}


class Run:
    """The boots of one tree, some at a time."""

    def __init__(self, grader, cores, say):
        self.grader, self.cores, self.say = grader, cores, say

    def _boot(self, test, cpus, seed, outcomes):
        """Not if the test is worth nothing already: the others change
        nothing then."""
        taken = self.cores.take(cpus)
        try:
            if self.grader.stopped or any(o.share[0] == 0 for o in outcomes):
                return
            outcome = self.grader.boot(test, cpus, seed)
            outcomes.append(outcome)
            if outcome.verdict != "PASS":
                self.say(f"{test.id}: {outcome.verdict}: {outcome.sentence}")
        finally:
            self.cores.give(taken)

    def all(self, tests, cpus=None, seeds=None):
        """The rows of these tests, in their order."""
        outcomes = {test.id: [] for test in tests}
        boots = [(test, n, seed) for test in tests
                 for n, seed in test.boots(seeds) if n == (cpus or n)]
        pool = ThreadPoolExecutor(self.cores.count)
        grade_boot.LIVE.add(self.grader)
        try:
            futures = [pool.submit(self._boot, *boot, outcomes[boot[0].id])
                       for boot in boots]
            for future in futures:
                future.result()
        except BaseException:
            self.grader.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            grade_boot.LIVE.discard(self.grader)
        return [row(test, outcomes[test.id]) for test in tests
                if outcomes[test.id]]


def results(lab, rows, seconds, refused=None, name=None, notes=()):
    """The whole of results.json. A tree that is not booted has no rows; a
    test of which the host alone is to blame makes the score incomplete."""
    verdict, sentence = refused or (worst(r["verdict"] for r in rows), "")
    return {"schema": SCHEMA, "lab": lab.name, "title": lab.title,
            "submission": name, "verdict": verdict, "sentence": sentence,
            "score": sum(r["earned"] for r in rows), "total": lab.total,
            "complete": verdict != "INFRA" and "INFRA" not in
            [r["verdict"] for r in rows],
            "seconds": round(seconds, 1), "notes": list(notes),
            "tests": rows}


def choose(lab, names):
    """Leaves the tests that are asked for; regression tests come last."""
    tests = sorted(lab.tests, key=lambda test: test.regression)
    unknown = set(names) - {test.id for test in tests}
    if unknown:
        raise labs.LabError(f"labs/{lab.name}/lab.toml:1: there is no test "
                            f"{', '.join(sorted(unknown))}")
    lab.tests = [t for t in tests if not names or t.id in names]
    return lab


def grade_tree(tree, lab, args, cores, **more):
    """Checks, builds and boots a tree. more: isolated, own_key, name, notes,
    say. Never fails: what is wrong is a verdict."""
    start = time.monotonic()
    about = {key: more.pop(key) for key in ("name", "notes") if key in more}
    say = more.pop("say", lambda text: None)
    try:
        if not more.get("own_key"):     # else its files are ours
            grade_build.check(tree, lab)
        say(f"building {lab.name}")
        key = grade_build.build(tree, args.jobs or cores.count, **more)
    except grade_build.Refused as refused:
        return results(lab, [], time.monotonic() - start, refused.args,
                       **about)
    grader = grade_boot.Grader(tree, lab, key, more.get("isolated", False),
                               args.patience)
    rows = Run(grader, cores, say).all(
        lab.tests, args.cpus,
        [args.seed] if args.seed else
        range(1, args.seeds + 1) if args.seeds else None)
    return results(lab, rows, time.monotonic() - start, **about)


def find_lab(tree, name):
    """Without a name that of a student's tree."""
    marker = tree / ".lab"
    if not name and marker.is_file():
        name = marker.read_text().strip()
    if not name:
        raise labs.LabError("tools/weir:1: which lab? tools/weir grade NAME")
    return labs.load(name, tree)


def tell(done, args):
    """Writes and prints the reports; the exit status."""
    grade_report.write_all(done, args)
    print(grade_report.console(done), end="")
    return 0 if done["score"] == done["total"] and done["complete"] else 1


def tell_again(args):
    """Of a results.json that is there."""
    try:
        done = json.loads(Path(args.source).read_text())
    except (OSError, ValueError) as error:
        print(f"grade: {args.source}: {error}", file=sys.stderr)
        return 2
    if done.get("schema") != SCHEMA:
        print(f"grade: {args.source} is not of schema {SCHEMA}",
              file=sys.stderr)
        return 2
    return tell(done, args)


def grade(args):
    if args.source:
        return tell_again(args)
    tree = Path(args.tree).resolve()
    try:
        lab = find_lab(tree, args.name)
        if args.batch:
            from weirlib import grade_batch     # which uses this module
            return grade_batch.batch(lab, args)
        choose(lab, args.test)
    except labs.LabError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    done = grade_tree(tree, lab, args, Cores(args.jobs), say=lambda text:
                      print(f"  {text}", file=sys.stderr, flush=True))
    path = Path(args.json or tree / "build" / "results.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(done, indent=1) + "\n")
    return tell(done, args)


def add_verbs(sub):
    verb = sub.add_parser("grade", help="boots a lab's tests and says what "
                          "each is worth; a whole class with --batch")
    verb.add_argument("name", nargs="?", metavar="LAB")
    verb.add_argument("--tree", default=ROOT, metavar="DIR",
                      help="what is graded; default: this tree")
    verb.add_argument("--test", action="append", default=[], metavar="ID")
    verb.add_argument("--cpus", type=int, metavar="N",
                      help="only the boots with so many")
    verb.add_argument("--seed", type=int, metavar="N", help="only this one")
    verb.add_argument("--seeds", type=int, metavar="N",
                      help="so many, not as many as the lab says")
    verb.add_argument("--jobs", type=int, metavar="N",
                      help="processors to use; default: all")
    verb.add_argument("--patience", type=float, default=1.0, metavar="X",
                      help="multiplies the tests' budgets")
    verb.add_argument("--json", metavar="FILE",
                      help="default: build/results.json")
    verb.add_argument("--from", dest="source", metavar="FILE",
                      help="grades nothing: reports of a results.json")
    for name in grade_report.FORMATS:
        verb.add_argument(f"--{name}", metavar="FILE")
    verb.add_argument("--batch", metavar="DIR",
                      help="grade each folder in DIR: docs/grading.md")
    verb.add_argument("--overlay", metavar="STAFF",
                      help="trusted files, laid over each tree")
    verb.add_argument("--starter", metavar="DIR",
                      help="the lab's tree; default: as `make lab` makes it")
    verb.add_argument("--only", metavar="NAME", help="one of the batch")
    verb.add_argument("--out", metavar="DIR",
                      help="of the batch's results; default: DIR.results")
    verb.set_defaults(run=grade)
