"""Trees that are graded: is all but the student's files as it was, and does
it build?

A student's C is compiled but never run on the host. The compiler is bounded
in memory, in what it writes and in time; the key that signs verdicts is made
only when the kernel, which the student wrote, has been compiled.
"""

import hashlib
import os
import re
import secrets
import signal
import subprocess

from weirlib import grade_records
from weirlib.grade_boot import bounds

BUILD_SECONDS = 600
BUILD_MIB, BUILD_GIB = 256, 4   # of one file, of one compiler's memory
# What a build reads, if it lies in the tree.
SOURCES = (".c", ".h", ".asm", ".ld", ".mk", ".def", ".sh")
NOT_SOURCES = ("build", ".git", "results")
MOST_FILES = 20000
MOST_BYTES = 4 << 20    # of one of ours


class Refused(Exception):
    """(verdict, sentence) of a tree that is not booted."""


def allowed(lab):
    return {*lab.files, "answers.md"}


def read_manifest(tree, lab):
    """Path -> SHA-256 of what must be as it was; {} in a solved tree."""
    path = tree / "labs" / lab.name / "manifest"
    if not path.is_file():
        return {}
    lines = (line.split("  ", 1) for line in path.read_text().splitlines())
    return {name: digest for digest, name in lines}


def walk(tree):
    """The paths of the tree's files; what a build makes is left out."""
    count = 0
    for folder, folders, names in os.walk(tree):
        if folder == str(tree):
            folders[:] = [f for f in folders if f not in NOT_SOURCES]
        for name in names:
            count += 1
            if count > MOST_FILES:
                raise Refused("TAMPER", f"There are more than {MOST_FILES} "
                              "files.")
            yield os.path.relpath(os.path.join(folder, name), tree)


def changed(tree, lab, manifest):
    """Files that are not as they were, and sources that were not there."""
    wrong = []
    for name, digest in manifest.items():
        path = tree / name
        if name in allowed(lab) or name.endswith(".md"):
            continue
        # No link is followed, and nothing large is read.
        if path.resolve() != path or not path.is_file() or \
                path.stat().st_size > MOST_BYTES or \
                hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(name)
    wrong += [name for name in walk(tree)
              if name.endswith(SOURCES) and name not in manifest
              and name not in allowed(lab)]
    return sorted(wrong)


def check(tree, lab):
    """Fails with TAMPER if more was changed than the student may."""
    manifest = read_manifest(tree, lab)
    wrong = changed(tree, lab, manifest) if manifest else []
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Refused("TAMPER", f"Not as handed out: {', '.join(wrong[:3])}"
                      f"{more}; only {', '.join(sorted(allowed(lab)))} may "
                      "be changed.")


def run(words, tree, seconds):
    """(status, output) of a command that is ended with all its children."""
    with subprocess.Popen(words, cwd=tree, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace",
                          start_new_session=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return -signal.SIGKILL, f"{output}\nerror: the build took " \
                f"longer than {seconds} s"
    return process.returncode, output


def first_error(output):
    lines = [line.strip() for line in output.splitlines()]
    errors = [line for line in lines if re.search(
        r"(?i)\berror\b|undefined reference|fatal|File size limit", line)]
    return (errors or [line for line in lines if line] or ["no output"])[0]


def make(tree, target, jobs, isolated):
    """Warnings are no errors here, wherever this runs."""
    status, output = run([*bounds(isolated, BUILD_MIB, BUILD_GIB), "make",
                          "--no-print-directory", f"-j{jobs}", "CI=", "LABS=1",
                          target], tree, BUILD_SECONDS)
    if status:
        raise Refused("BUILD", f"It does not build: {first_error(output)}.")


def build(tree, jobs, isolated=False, own_key=False):
    """Builds the ISO; returns the key of its labrun, a new one if it is to
    be `own_key`. Fails with BUILD."""
    key = tree / "build" / "key" / "labkey.h"
    if own_key:
        key.unlink(missing_ok=True)
        make(tree, "build/weir.elf", jobs, isolated)
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_text(grade_records.key_text(
            (secrets.randbits(64), secrets.randbits(64))))
    make(tree, "iso", jobs, isolated)
    return grade_records.read_key(key)
