"""Labs: the marks, lab.toml, the student trees and the wrong solutions.

What needs a boot (points of the solved tree, of starters and of wrong
solutions) is measured by the grader: `make test-labs`.
"""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from weirlib import lab

ROOT = Path(__file__).resolve().parents[2]
LABS = [one.name for one in lab.own_labs(ROOT)]
GAPPED = [name for name in LABS if name != "open"]
SOURCE = (".c", ".h", ".asm", ".def")

TOML = """\
number = 1
title = "Toy"
hours = 1
files = ["mm/toy.c", "answers.md"]
floor = 2

[[test]]
id = "first"
title = "It works"
points = 10
run = "toylab {seed}"
cpus = [1, 2]
seeds = 3
budget = 10
keep = true
see = "handout.md#how-it-works"

[[test]]
id = "secret"
title = "It works in secret, too"
points = 5
run = "toylab secret"
budget = 10
visibility = "hidden"
"""
CODE = """\
int toy(int x)
{
	/* LAB toy begin: twice
	 * as much */
	return 2 * x;
	/* LAB toy stub
	 * if (x)
	 *	return x;
	 * return 0;
	 */
	/* LAB toy end */
}
"""


def tree(folder, code=CODE, toml=TOML, name="toy"):
    """A tree that is no repository, of one lab."""
    for path, text in {
            "mm/toy.c": code, f"labs/{name}/lab.toml": toml,
            f"labs/{name}/handout.md": "# Toy\n\n## How it works\n",
            f"labs/{name}/teacher.md": "It is twice as much.\n",
            f"labs/{name}/wrong/01-half.patch": "Score: 2\n",
            f"labs/{name}/toylab.c": "int main(void) { return 0; }\n",
            "labs/student.md": "# {name}: {places} {files} {title} {hours} "
                               "{floor} {total}\n",
            "tests/host/test.py": "assert toy(2) == 4\n"}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


# --- the marks ----------------------------------------------------------------
@pytest.mark.parametrize("change, where, what", [
    ((CODE[CODE.index("	/* LAB toy stub"):], "}\n"), 3, "without an end"),
    (("LAB toy end", "LAB toy over"), 11, "more code after the stub"),
    (("	/* LAB toy begin: twice\n	 * as much */\n", ""), 4,
     "LAB toy stub without a begin"),
    (("return 2 * x;", "/* LAB toy begin: again */"), 5, "within the gap"),
    (("return 2 * x;", "/* LAB other begin: again */"), 5,
     "LAB other within the gap of toy"),
    (("LAB toy", "LAB nosuch"), 3, "there is no lab nosuch"),
    (("	 */\n	/* LAB toy end */\n}\n", ""), 6, "does not end"),
    (("	/* LAB toy end */", "	x++;\n	/* LAB toy end */"), 11,
     "more code after the stub"),
    (("return 2 * x;", "return 2; /* LAB toy end */"), 5, "no whole mark"),
    (("	/* LAB toy end */",
      "	/* LAB toy stub\n	 */\n	/* LAB toy end */"), 11, "within the gap"),
])
def test_a_wrong_mark_is_named_with_its_line(tmp_path, change, where, what):
    code = CODE.replace(*change)
    assert code != CODE
    tree(tmp_path, code)
    with pytest.raises(lab.LabError) as error:
        lab.find_gaps(tmp_path)
    assert str(error.value).startswith(f"mm/toy.c:{where}: ")
    assert what in str(error.value)


def test_a_gap_holds_its_stub_at_the_marks_indentation(tmp_path):
    lab.generate("toy", tmp_path / "out", tree(tmp_path / "solved"))
    assert (tmp_path / "out/mm/toy.c").read_text() == """\
int toy(int x)
{
	/* Your code (lab toy): twice
	 * as much */
	if (x)
		return x;
	return 0;
	/* End of your code */
}
"""


def test_assembly_is_marked_with_semicolons():
    text = ("foo:\n    ; LAB toy begin: return\n    ret\n"
            "    ; LAB toy stub\n    ; jmp foo\n    ; LAB toy end\n")
    assert lab.student_text("boot/x.asm", text, "toy") == (
        "foo:\n    ; Your code (lab toy): return\n    jmp foo\n"
        "    ; End of your code\n")
    assert lab.student_text("boot/x.asm", text, "other") == \
        "foo:\n    ret\n"


# --- lab.toml -----------------------------------------------------------------
@pytest.mark.parametrize("old, new, line, what", [
    ("number = 1", "number = ", 1, "Invalid value"),
    ("hours = 1\n", "", 1, "there is no hours"),
    ("hours = 1", "hours = true", 1, "hours = True is no int"),
    ("floor = 2", "floor = 16", 1, "above the total of 15"),
    ("budget = 10\nkeep", "keep", 8, "there is no budget"),
    ("points = 10", "points = \"ten\"", 8, "is no int"),
    ("points = 10", "pints = 10", 8, "unknown key 'pints'"),
    ("cpus = [1, 2]", "cpus = [0]", 8, "cpus is a list of 1 to 64"),
    (" {seed}", "", 8, "no {seed} in run or set"),
    ("\"secret\"", "\"first\"", 8, "two tests are called first"),
    ("hidden", "invisible", 19, "visibility is one of"),
    ("how-it-works", "how-it-fails", 8, "no heading for #how-it-fails"),
    ("handout.md#", "nothing.md#", 8, "there is no nothing.md"),
])
def test_a_wrong_table_is_named_with_its_line(tmp_path, old, new, line, what):
    assert old in TOML
    tree(tmp_path, toml=TOML.replace(old, new, 1))
    with pytest.raises(lab.LabError) as error:
        lab.load("toy", tmp_path)
    assert str(error.value).startswith(f"labs/toy/lab.toml:{line}: ")
    assert what in str(error.value)


def test_two_labs_have_not_one_number(tmp_path):
    tree(tree(tmp_path), name="second")
    with pytest.raises(lab.LabError, match="two labs have the number 1"):
        lab.load("toy", tmp_path)


def test_files_are_those_that_have_gaps(tmp_path):
    tree(tmp_path / "t", toml=TOML.replace("mm/toy.c", "mm/other.c"))
    with pytest.raises(lab.LabError, match="lab.toml:4: files are"):
        lab.generate("toy", tmp_path / "out", tmp_path / "t")


def test_boots_and_commands(tmp_path):
    tests = lab.load("toy", tree(tmp_path)).tests
    assert tests[0].boots() == [(n, s) for n in (1, 2) for s in (1, 2, 3)]
    assert tests[0].boots([7]) == [(1, 7), (2, 7)]
    assert tests[0].command(7) == "toylab 7"
    assert tests[1].boots() == [(n, None) for n in tests[1].cpus]


def test_regressions_share_fifteen_points():
    for name in LABS:
        one = lab.load(name, ROOT)
        again = [t for t in one.tests if t.regression]
        assert one.total == 100, name
        assert sum(t.points for t in again) == (lab.SHARE if again else 0)
        assert all(len(t.boots()) == 1 for t in again)
        assert all(t.points for t in again)
    assert not [t for t in lab.load(LABS[0], ROOT).tests if t.regression]


# --- the student tree ---------------------------------------------------------
def test_out_must_be_empty(tmp_path):
    tree(tmp_path / "solved")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("precious")
    with pytest.raises(lab.LabError, match="not empty"):
        lab.generate("toy", tmp_path / "out", tmp_path / "solved")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]


def test_what_is_not_public_stays_back(tmp_path):
    lab.generate("toy", tmp_path / "out", tree(tmp_path / "solved"))
    files = lab.tracked(tmp_path / "out")
    assert not [p for p in files if "wrong" in p or "teacher" in p
                or p.startswith("tests/")]
    table = (tmp_path / "out/labs/toy/lab.toml").read_text()
    assert "secret" not in table and "first" in table


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """Makes the tree of a lab's student, once."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "tree"
            lab.generate(name, made[name], ROOT)
        return made[name]

    return make


def words(text):
    """Identifiers of C; what comments and strings say is no solution."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:[^\"\\]|\\.)*\"", " ", text,
                  flags=re.S)
    return set(re.findall(r"[A-Za-z_]\w+", text))


def code(path, text):
    """Of a page of text its code: `spans`, and what is indented; other files
    that are no sources have none, but each line of theirs is looked at."""
    if not path.endswith(".md"):
        return text if path.endswith(SOURCE) else ""
    return "\n".join(a or b for a, b in
                     re.findall(r"`([^`]+)`|^    (.*)", text, re.M))


def meat(lines):
    """Lines that say something: not braces, `return;`, ends of comments."""
    return {s for s in map(str.strip, lines) if len(re.findall(r"\w", s)) > 5}


def without_gaps(text, name):
    """Another way than lab.py's to leave out the gaps of a lab."""
    return re.sub(rf"LAB {name} begin:.*?LAB {name} end\b", "", text,
                  flags=re.S)


def leaks(out, name):
    """Lines and words of the solution that the student tree has, anywhere,
    though the solved tree's code has them nowhere outside the gaps."""
    solution, rest = "", ""
    for path in lab.tracked(ROOT):
        if path.endswith(SOURCE) and not path.startswith(("tests/", "labs/")):
            text = (ROOT / path).read_text()
            rest += without_gaps(text, name)
    for gap in (g for g in lab.find_gaps(ROOT) if g.lab == name):
        solution += "\n".join(gap.solution) + "\n"
        rest += "\n".join(gap.stub) + "\n"
    files = {p: (out / p).read_text() for p in lab.tracked(out)}
    given = "\n".join(files.values())
    said = words("\n".join(code(*file) for file in files.items()))
    lines = meat(solution.splitlines()) - meat(rest.splitlines())
    assert lines
    return lines & meat(given.splitlines()), \
        (words(solution) - words(rest)) & said


@pytest.mark.parametrize("name", GAPPED)
def test_no_line_and_no_word_of_a_solution_leaks(students, name):
    assert leaks(students(name), name) == (set(), set())


def test_a_leak_is_found(students, tmp_path):
    out = tmp_path / "leaky"
    shutil.copytree(students("tlb"), out)
    (out / "docs/hint.md").write_text("    if (old & PTE_D)\n"
                                      "		b->writable = true;\n")
    assert leaks(out, "tlb")[0] == {"if (old & PTE_D)",
                                    "b->writable = true;"}


@pytest.mark.parametrize("name", LABS)
def test_a_student_tree_has_no_history_no_binary_no_mark(students, name):
    out = students(name)
    assert not list(out.rglob(".git")) and not (out / "build").exists()
    for path in lab.tracked(out):
        data = (out / path).read_bytes()
        assert b"\0" not in data, path
        assert not re.search(rb"\bLAB \w+ (begin:|stub|end)\b", data) or \
            path == "tools/weirlib/lab_marks.py", path
        assert "/wrong/" not in path and "teacher" not in path, path
    assert (out / ".lab").read_text() == f"{name}\n"
    allowed = (out / "files.allow").read_text().split()
    assert allowed == lab.load(name, ROOT).files
    assert all((out / path).is_file() for path in allowed)
    others = {p.parts[-2] for p in out.glob("labs/*/handout.md")}
    assert others == {name}


@pytest.mark.parametrize("name", LABS)
def test_the_manifest_is_of_the_tree(students, name):
    out = students(name)
    path = f"labs/{name}/manifest"
    done = subprocess.run(["sha256sum", "--quiet", "-c", path], cwd=out,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = {line[66:] for line in (out / path).read_text().splitlines()}
    allowed = set((out / "files.allow").read_text().split())
    assert not listed & allowed
    assert {p for p in lab.tracked(out) if p.endswith(SOURCE)} <= \
        listed | allowed


@pytest.mark.parametrize("name", GAPPED)
def test_stubs_compile_without_warnings(students, name):
    sources = [p.replace(".h", ".c") for p in lab.load(name, ROOT).files
               if p.endswith((".c", ".h"))]
    done = subprocess.run(
        ["make", "-s", "CI=true",
         *(f"build/{p.removesuffix('.c')}.o" for p in sources)],
        cwd=students(name), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "warning" not in done.stderr


# --- wrong solutions ----------------------------------------------------------
@pytest.mark.parametrize("name", LABS)
def test_wrong_solutions_fit_and_touch_only_what_students_may(tmp_path, name):
    patches = sorted((ROOT / "labs" / name / "wrong").glob("*.patch"))
    one = lab.load(name, ROOT)
    assert len(patches) >= 5
    for patch in patches:
        text = patch.read_text()
        low, high, fails = re.match(lab.STATED, text).groups("")
        assert 0 <= int(low) <= int(high or low) < one.total, patch
        assert bool(high) == bool(fails), patch
        assert {t.id for t in one.tests} >= set(fails.split()), patch
        changed = re.findall(r"^\+\+\+ b/(\S+)", text, re.M)
        assert changed and set(changed) <= set(one.files), patch
        for path in changed:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / path)
        done = subprocess.run(["patch", "-p1", "--dry-run", "-F0", "-i",
                               patch], cwd=tmp_path, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"{patch}\n{done.stdout}"
