"""The planted bugs (mm/planted.h) and the tests that must catch each.

`make mutants` runs each test of a bug with the bug planted, with one seed
after the other, and on the build without any (docs/planted.md).
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "host"))


@dataclass(frozen=True)
class Guest:
    """A command of the guest; {seed} in it is the run's."""
    command: str
    cpus: int = 4
    words: tuple = ("check=tlb",)
    options: dict = field(default_factory=dict, hash=False)
    exact: bool = True      # a handshake holds the window open: each seed


@dataclass(frozen=True)
class Host:
    """A driver of tests/host/c, which takes the seed as its argument."""
    name: str
    sources: tuple
    exact: bool = True


TESTS = {
    "debt": Host("tlb_test", ("mm/tlb.c", "mm/policy.c", "mm/oracle.c",
                                "mm/point.c")),
    "rmap": Host("rmap_test", ("mm/rmap.c",)),
    "donation": Guest("donation", cpus=2),
    "quotas": Guest("quotas", cpus=2),
}

# Bug: tests, those that meet it without luck first. "window NAME" is that
# scene of user/tests/window.c.
MUTANTS = {
    "Z1": ["debt"],
    "Z3": ["debt"],
    "Z5": ["debt"],
    "Z6": ["debt"],
    "Z11": ["debt"],
    "Z12": ["rmap"],
    "Z17b": ["debt"],
    "Z19": ["rmap"],
    "Z22": ["rmap"],
    "Z24": ["rmap"],
    "Z25": ["rmap"],
    "Z32": ["debt"],
    "Z33": ["debt"],
    "Z34": ["debt"],
    "Z35": ["debt"],
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
}


def bugs():
    """Name and description of each bug, as mm/planted.h has them."""
    text = (ROOT / "mm" / "planted.h").read_text()
    return dict(re.findall(r'\bBUG\((\w+), "([^"]+)"\)', text))


def named(name):
    """The Guest or Host of that name."""
    if name.startswith("window "):
        return Guest(name)
    return TESTS[name]
