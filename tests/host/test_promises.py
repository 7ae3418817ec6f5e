"""docs/promises.md: each place, test and planted bug that it names is there."""
import re
from pathlib import Path

import pytest
from mutants import bugs

ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"P{n}" for n in range(1, 7)] + [f"I{n}" for n in range(1, 24)]
ROW = re.compile(r"^\| ([PI]\d+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", re.M)
ROWS = {row[0]: row[1:] for row in
        ROW.findall((ROOT / "docs" / "promises.md").read_text())}


def things(cell):
    """The words of a cell; of one that says why there are none: no words."""
    return [] if cell.startswith("none: ") else cell.split()


def test_every_promise_has_its_row():
    assert list(ROWS) == NAMES
    for name, (text, *cells) in ROWS.items():
        assert text and all(cells), name


@pytest.mark.parametrize("name", NAMES)
def test_it_is_asserted_there(name):
    """The function is in that file, and asserts something."""
    for place in things(ROWS[name][1]):
        path, function = place.split(":")
        found = re.search(rf"^\w[^;={{}}]*\b{function}\)?\([^;{{}}]*\)\n"
                          r"{\n(.*?)^}", (ROOT / path).read_text(),
                          flags=re.M | re.S)
        assert found, place
        assert re.search(r"\b(assert\w*|panic|violated|check|compare|ORACLE)"
                         r"\(", found[1]), place


@pytest.mark.parametrize("name", NAMES)
def test_it_is_tested_there(name):
    for test in things(ROWS[name][2]):
        path, function = test.split("::")
        assert re.search(rf"^def {function}\(", (ROOT / path).read_text(),
                         flags=re.M), test


@pytest.mark.parametrize("name", NAMES)
def test_its_bug_is_planted(name):
    for bug in things(ROWS[name][3]):
        assert bug in bugs(), bug
