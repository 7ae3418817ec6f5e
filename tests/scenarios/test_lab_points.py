"""What each lab's solved tree, starter and wrong solutions are worth.

Hundreds of boots: `make test-labs`. The points of a wrong solution are in the
first line of its patch. Where its effects depend on chance, as those of a race
do, that is a range, and the second line names the tests that fail all the
same.
"""

import json
import re
import subprocess

import pytest
from guest import ROOT
from weirlib import lab

pytestmark = [pytest.mark.labs, pytest.mark.timeout(1200)]
LABS = [one.name for one in lab.own_labs(ROOT)]
WRONG = sorted((ROOT / "labs").glob("*/wrong/*.patch"))
# The bugs of mm/planted.h that are within a lab's gap.
PLANTED = sorted({(gap.lab, bug) for gap in lab.find_gaps(ROOT) for bug in
                  re.findall(r"PLANTED\((\w+)\)", "\n".join(gap.solution))})


def score(name, tree):
    """Points and total of the tree, as its student sees them, and what was
    said."""
    done = subprocess.run([ROOT / "tools" / "weir", "grade", name, "--tree",
                           tree, "--json", tree / "build" / "points.json"],
                          capture_output=True, text=True, check=False)
    last = re.fullmatch(r"Score: (\d+)/(\d+)",
                        done.stdout.rstrip().split("\n")[-1])
    assert last, done.stdout + done.stderr
    assert (done.returncode == 0) == (last.group(1) == last.group(2))
    return int(last.group(1)), int(last.group(2)), done.stdout


def copy_to(tree):
    for path in lab.tracked(ROOT):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes((ROOT / path).read_bytes())
        (tree / path).chmod((ROOT / path).stat().st_mode & 0o777)
    return tree


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """The solved tree, once for all: only what a patch changes is compiled
    again."""
    return copy_to(tmp_path_factory.mktemp("solved"))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The same with all planted bugs: `plant=` chooses."""
    tree = copy_to(tmp_path_factory.mktemp("planted"))
    path = tree / "Makefile"
    path.write_text(path.read_text().replace("$(if $(PLANTED),-DPLANT)",
                                             "-DPLANT"))
    return tree


def patch(tree, file, *options):
    subprocess.run(["patch", "-p1", "-s", "-F0", *options, "-i", file],
                   cwd=tree, check=True)


@pytest.mark.parametrize("name", LABS)
def test_the_solved_tree_has_all_points(solved, name):
    got, total, said = score(name, solved)
    assert got == total == 100, said


@pytest.mark.parametrize("name", LABS)
def test_the_starter_has_its_floor(tmp_path, name):
    lab.generate(name, tmp_path / "tree", ROOT)
    got, total, said = score(name, tmp_path / "tree")
    assert total == 100, said
    assert got == lab.load(name, ROOT).floor, said


@pytest.mark.parametrize("file", WRONG,
                         ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_a_wrong_solution_has_its_points(solved, file):
    patch(solved, file)
    try:
        got, _, said = score(file.parts[-3], solved)
    finally:
        patch(solved, file, "-R")
    low, high, fails = re.match(lab.STATED, file.read_text()).groups("")
    assert int(low) <= got <= int(high or low), said
    tests = json.loads((solved / "build/points.json").read_text())["tests"]
    failed = {t["id"] for t in tests if t["verdict"] != "PASS"}
    assert failed and failed >= set(fails.split()), said


@pytest.mark.parametrize("name, bug", PLANTED)
def test_a_planted_bug_in_a_gap_costs_points(planted, name, bug):
    """The lab's own tests find it: those of earlier labs have no bug."""
    path = planted / "labs" / name / "lab.toml"
    text = path.read_text()
    head, *tests = text.split("[[test]]\n")
    word = f'"plant={bug}"'
    tests = [t.replace("set = [", f"set = [{word}, ") if "set = [" in t else
             f"set = [{word}]\n{t}" for t in tests]
    path.write_text("[[test]]\n".join([head, *tests]))
    try:
        got, total, said = score(name, planted)
    finally:
        path.write_text(text)
    assert got < total, said
