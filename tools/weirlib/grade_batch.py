"""`tools/weir grade LAB --batch DIR`: a class, one folder for each.

Of a submission only the files that a student may change are taken, and laid
over a tree of ours, with STAFF's files on top: whatever else it changes has
no effect, and is said. A folder OUT keeps NAME.json for each; what is there
already, of the same files and the same lab, is not graded again. One
submission is one command (--only NAME), which may run on any machine that
shares DIR and OUT.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weirlib import (grade, grade_boot, grade_build, grade_report,
                     lab as labs)
from weirlib.grade_build import Refused
from weirlib.vm import ROOT

MOST_BYTES = 512 << 10      # of one file that a student hands in
SUMMARY = ("submission", "score", "total", "verdict", "complete", "seconds",
           "tests", "sentence")


# --- what is taken of a submission --------------------------------------------
def take(folder, name):
    """The bytes of a file; None: it is not there. Follows no link and opens
    nothing but a file; fails with Refused."""
    path = folder
    for part in Path(name).parts:
        path = path / part
        if not os.path.lexists(path):
            return None
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise Refused("TAMPER", f"{path.relative_to(folder)} is a "
                          "symbolic link, which is not followed.")
    if not stat.S_ISREG(mode):
        raise Refused("TAMPER", f"{name} is not a file.")
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK),
              "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Refused("TAMPER", f"{name} has more than {MOST_BYTES >> 10} "
                      "KiB.")
    if b"\0" in data:
        raise Refused("TAMPER", f"{name} is no text.")
    return data


def top(folder, lab):
    """Where the tree is: many pack it with one folder around."""
    inside = [p for p in folder.iterdir() if not p.name.startswith(".")]
    if any(os.path.lexists(folder / name) for name in lab.files) or \
            len(inside) != 1 or inside[0].is_symlink() or \
            not inside[0].is_dir():
        return folder
    return inside[0]


class Submission:
    """A folder of the batch: what is taken of it, and what is said of the
    rest."""

    def __init__(self, folder, lab, base):
        if folder.is_symlink() or not folder.is_dir():
            raise Refused("TAMPER", "It is not a folder.")
        folder = top(folder, lab)
        self.files, self.notes = {}, []
        for name in sorted(grade_build.allowed(lab)):
            data = take(folder, name)
            if data is not None:
                self.files[name] = data
            elif name in lab.files:
                self.notes.append(f"{name} is missing: the starter's is "
                                  "used.")
        self.changed = self._changed(folder, lab, base)
        if self.changed:
            self.notes.append(
                "TAMPER: changed, which has no effect here: "
                + ", ".join(self.changed[:5])
                + (" and more" if len(self.changed) > 5 else ""))

    @staticmethod
    def _changed(folder, lab, base):
        """Only of files that are there: a part of the tree is a fine
        submission."""
        manifest = {name: digest for name, digest in
                    grade_build.read_manifest(base, lab).items()
                    if os.path.lexists(folder / name)}
        return grade_build.changed(folder, lab, manifest) if manifest else []

    def digest(self):
        sums = [f"{name} {hashlib.sha256(data).hexdigest()}"
                for name, data in self.files.items()]
        return hashlib.sha256("\n".join(sums + self.changed)
                              .encode()).hexdigest()


# --- the tree that they are laid over -----------------------------------------
def copy_over(source, target):
    """Each file of a folder of ours; hidden.toml's tests go to the lab's."""
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "hidden.toml":
            with open(place.with_name("lab.toml"), "a",
                      encoding="utf-8") as file:
                file.write("\n" + path.read_text())
        else:
            shutil.copyfile(path, place)
            shutil.copymode(path, place)


def make_base(lab, args, out):
    """The starter with our files on top, built: in OUT, once for all that
    grade into it. Its name says what it was made of."""
    work = Path(tempfile.mkdtemp(prefix="base-", dir=out))
    tree = work / "tree"
    if args.starter:
        shutil.copytree(args.starter, tree, symlinks=True,
                        ignore=shutil.ignore_patterns(".git"))
    else:
        labs.generate(lab.name, tree)
        own = ROOT / "labs" / lab.name
        shutil.copyfile(own / "lab.toml", tree / "labs" / lab.name
                        / "lab.toml")
    if args.overlay:
        copy_over(Path(args.overlay), tree)
    digest = hashlib.sha256()
    for name in sorted(grade_build.walk(tree)):
        digest.update(f"{name}\0".encode())
        digest.update((tree / name).read_bytes())
    place = out / f"base-{digest.hexdigest()[:16]}"
    if not place.is_dir():
        grade_build.build(tree, grade.Cores().count)
        try:
            tree.rename(place)
        except OSError:     # another machine was faster
            pass
    shutil.rmtree(work)
    return place


# --- grading ------------------------------------------------------------------
class Batch:
    """Grades submissions into OUT."""

    def __init__(self, lab, args, out, base):
        self.lab, self.args, self.out, self.base = lab, args, out, base
        self.cores = grade.Cores(args.jobs)
        # A build here has one job: others are built meanwhile.
        self.each = argparse.Namespace(**{**vars(args), "jobs": 1})
        self.lock = threading.Lock()
        self.stopped = False

    def _asked(self):
        a = self.args
        return [self.base.name, a.seeds, a.test, a.patience, a.cpus, a.seed]

    def _known(self, path, digest):
        try:
            done = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        same = done.get("digest") == digest and done["complete"]
        return done if same else None

    def _boot(self, submission, name):
        with tempfile.TemporaryDirectory(prefix="weir-grade-") as work:
            tree = Path(work) / "tree"
            subprocess.run(["cp", "-a", self.base, tree], check=True)
            for file, data in submission.files.items():
                (tree / file).write_bytes(data)
            return grade.grade_tree(tree, self.lab, self.each, self.cores,
                                    name=name, notes=submission.notes,
                                    isolated=True, own_key=True)

    def one(self, folder):
        """Its results, of now or of an earlier run."""
        path = self.out / f"{folder.name}.json"
        try:
            if self.stopped:
                raise Refused("INFRA", "It was interrupted.")
            submission = Submission(folder, self.lab, self.base)
            digest = hashlib.sha256(json.dumps(
                [submission.digest(), *self._asked()]).encode()).hexdigest()
            done = self._known(path, digest)
            if done:
                return done
            done = self._boot(submission, folder.name)
            if submission.changed and done["verdict"] != "INFRA":
                done["verdict"] = "TAMPER"
        except Refused as refused:
            digest, done = "", grade.results(self.lab, [], 0, refused.args,
                                             folder.name)
        except OSError as error:
            digest, done = "", grade.results(
                self.lab, [], 0, ("INFRA", f"The host: {error}."),
                folder.name)
        done["digest"] = digest
        self._write(path, done)
        return done

    def _write(self, path, done):
        """Whole or not at all, whoever else writes."""
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(done, indent=1) + "\n")
        part.rename(path)
        with self.lock:
            print(line(done), flush=True)


def line(done):
    note = done["sentence"] or "; ".join(done["notes"])
    return (f"{done['submission']:24} {done['verdict']:12} "
            f"{done['score']:3}/{done['total']} {done['seconds']:6.1f} s"
            + f"  {note}"[:120].rstrip())


def summary(everybody):
    """summary.csv, by name. Without a score: not complete."""
    return grade_report.table(SUMMARY, [
        (d["submission"], d["score"] if d["complete"] else "", d["total"],
         d["verdict"], d["complete"], d["seconds"],
         " ".join(f"{r['id']}={r['earned']}" for r in d["tests"]),
         d["sentence"] or "; ".join(d["notes"])) for d in everybody])


def used(seconds, count):
    """What it took: for a page about machines that are needed."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (f"{count} submissions in {seconds:.0f} s; {own.ru_utime:.0f} s "
            f"of processors; the largest process had "
            f"{own.ru_maxrss >> 10} MiB.")


def batch(lab, args):
    start = time.monotonic()
    folder = Path(args.batch).resolve()
    out = Path(args.out or f"{folder}.results").resolve()
    out.mkdir(parents=True, exist_ok=True)
    names = [args.only] if args.only else \
        sorted(p.name for p in folder.iterdir() if not
               p.name.startswith("."))
    missing = [n for n in names
               if "/" in n or not os.path.lexists(folder / n)]
    if missing or not names:
        print(f"grade: {folder} has no {(missing or ['submission'])[0]}",
              file=sys.stderr)
        return 2
    try:
        base = make_base(lab, args, out)
    except Refused as refused:
        print(f"grade: the tree itself: {refused.args[1]}", file=sys.stderr)
        return 2
    lab = grade.choose(labs.load(lab.name, base), args.test)
    work = Batch(lab, args, out, base)
    pool = ThreadPoolExecutor(work.cores.count)
    try:
        everybody = list(pool.map(work.one, [folder / n for n in names]))
    except BaseException:
        work.stopped = True
        grade_boot.stop_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    if args.only:
        grade_report.write_all(everybody[0], args)
    else:
        (out / "summary.csv").write_text(summary(everybody))
        print(used(time.monotonic() - start, len(everybody)))
    return 0 if all(d["complete"] for d in everybody) else 3
