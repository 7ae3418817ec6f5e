"""The planted bugs (mm/planted.h) and the tests that must catch each.

`make mutants` runs each test of a bug with the bug planted, with one seed
after the other, and on the build without any (docs/planted.md).
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "host"))


@dataclass(frozen=True)
class Guest:
    """A command of the guest, with the oracle on. It finds a bug by a panic,
    a check that fails (status 1), or the death of the program (97);
    `status`: what it ends with, too, where the bug keeps it from more."""
    command: str
    cpus: int
    status: int = 1
    delays: bool = False    # random ones, of the run's seed, at all points


@dataclass(frozen=True)
class Host:
    """A driver of tests/host/c, which takes the seed as its argument."""
    name: str
    sources: tuple


TESTS = {
    "debt": Host("tlb_test", ("mm/tlb.c", "mm/policy.c", "mm/oracle.c",
                              "mm/point.c")),
    "rmap": Host("rmap_test", ("mm/rmap.c",)),
    # Whether the other CPU has a space's tables when it ends is luck: often.
    "exit": Guest("shell -c 'true; true; true; true; true; true'", cpus=2),
    "donation": Guest("donation", cpus=2),
    "quotas": Guest("quotas", cpus=2),
    # Its stale handle breaks who starts programs: the scene is not reached.
    "window generation": Guest("window generation", cpus=6, status=96,
                               delays=True),
}

# Bug: tests. "window NAME" is that scene of user/tests/window.c.
MUTANTS = {
    "Z1": ["debt", "window saved"],
    "Z2": ["window freed"],
    "Z3": ["debt", "window protect"],
    "Z4": ["window slot"],
    "Z5": ["debt", "window owed"],
    "Z6": ["debt", "window retired"],
    "Z7": ["window recheck"],
    "Z8": ["window debt"],
    "Z9": ["window policy"],
    "Z10": ["window paged"],
    "Z11": ["debt", "window dying"],
    "Z12": ["rmap", "window dying"],
    "Z13": ["window dying"],
    "Z17": ["exit"],
    "Z17b": ["debt", "exit"],
    "Z18": ["window wired"],
    "Z19": ["rmap", "window copy_owed"],
    "Z20": ["window clone", "window cloning"],
    "Z21": ["window clone_owed"],
    "Z22": ["rmap"],
    "Z24": ["rmap", "window saved"],
    "Z25": ["rmap", "window saved"],
    "Z26": ["window pin", "window free"],
    "Z26b": ["window only"],
    "Z27": ["window inbound", "window read"],
    "Z28": ["window io"],
    "Z29": ["window torn"],
    "Z30": ["window lazy", "window cr3", "window loaded"],
    "Z31": ["debt"],
    "Z32": ["debt", "window lazy"],
    "Z33": ["debt"],
    "Z34": ["debt", "window protect"],
    "Z35": ["debt", "window protect", "window handler"],
    "Z36": ["window lazy"],
    "L1": ["debt", "window waits"],
    "L2": ["window waits"],
    "W1": ["window reference"],
    "W2": ["window wake"],
    "W3": ["window slot"],
    "W4": ["donation"],
    "W5": ["window enter"],
    "W6": ["window address"],
    "W7": ["quotas"],
    "W8": ["window generation"],
    "W9": ["window client"],
    "W10": ["window handle"],
    "W11": ["debt"],
}


def bugs():
    """Name and description of each bug, as mm/planted.h has them."""
    text = (ROOT / "mm" / "planted.h").read_text()
    return dict(re.findall(r'\bBUG\((\w+), "([^"]+)"\)', text))


def named(name):
    """The Guest or Host of that name."""
    if name in TESTS:
        return TESTS[name]
    assert whole(name) == "window", name
    return Guest(name, cpus=6, delays=True)


def scenes():
    """The names of the scenes of user/tests/window.c."""
    text = (ROOT / "user/tests/window/window.h").read_text()
    return re.findall(r"\bX\((\w+)\)", text)


def whole(name):
    """The test that must be silent for it: all scenes in one boot."""
    return name.split()[0]
