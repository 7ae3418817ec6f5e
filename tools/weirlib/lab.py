"""Labs: what labs/NAME/lab.toml says, and the student tree that is made of it.

`generate` writes a tree in which the gaps (lab_marks.py) of one lab hold their
stubs and the marks of all others are gone.
"""

import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from weirlib.lab_marks import Gap, LabError, Reader, marked, student_text
from weirlib.vm import ROOT

try:
    from tomllib import TOMLDecodeError, loads as toml
except ModuleNotFoundError:     # Python before 3.11: Debian's python3-toml
    from toml import TomlDecodeError as TOMLDecodeError, loads as toml

SHARE = 15              # points of 100 for what earlier labs' tests find
VISIBILITY = ("public", "hidden", "after_due")
ANSWERS = "answers.md"  # what a student writes beside the code
OPTIONS = {"mem": int, "swap": int, "seeds": int, "set": list, "hint": str,
           "see": str, "visibility": str, "keep": bool, "cpus": list}
NEEDED = {"id": str, "title": str, "points": int, "run": str, "budget": int}
LAB_KEYS = {"number": int, "title": str, "hours": int, "files": list,
            "floor": int, "test": list}
# What a wrong solution says of itself: points, or where they depend on chance
# from what to what, and which tests fail all the same.
STATED = r"Score: (\d+)(?: to (\d+)\nFails: (.+))?\nWhat: .+\n"

# Not for students. tests/, the model, the planted bugs' page and the wrong
# solutions say how a gap is filled, or how it is not; docs/promises.md and
# .ci speak of what is then missing.
KEPT_BACK = ("tests/", ".ci/", "tools/model/", "tools/student/", "labs/",
             "docs/planted.md", "docs/lab-walk.md", "docs/model.md",
             "docs/promises.md", "README.md", "pytest.ini")


# --- lab.toml -----------------------------------------------------------------
@dataclass
class Test:
    """One row of a lab's table; each of its boots must pass."""
    id: str
    title: str
    points: int
    run: str                # the guest's command; {seed} is replaced
    budget: int             # guest seconds
    cpus: list = field(default_factory=lambda: [1, 2, 4])
    seeds: int = 1          # 1: none is given
    mem: int = 64           # MiB
    swap: int = None
    words: list = field(default_factory=list)   # `set`: key=value
    visibility: str = "public"
    hint: str = ""
    see: str = ""
    keep: bool = False      # stays on as a regression test of later labs
    lab: str = ""           # the lab that it is of
    regression: bool = False

    def boots(self, seeds=None):
        """(cpus, seed) of each; seed None where the test has no seeds."""
        one = self.seeds == 1 and "{seed}" not in self.run
        chosen = [None] if one else \
            list(seeds or range(1, self.seeds + 1))
        return [(n, seed) for n in self.cpus for seed in chosen]

    def command(self, seed):
        return self.run.replace("{seed}", str(seed or 1))


@dataclass
class Lab:
    name: str
    folder: Path
    number: int             # 0: an elective, after all others
    title: str
    hours: int
    files: list             # that a student may change
    floor: int              # points of the starter
    tests: list

    @property
    def total(self):
        return sum(test.points for test in self.tests)

    @property
    def order(self):
        return self.number or 1000


def line_of(path, text):
    """Where `text` stands in the file; 1: nowhere."""
    lines = path.read_text().splitlines()
    return next((n for n, line in enumerate(lines, 1) if text in line), 1)


def line_of_test(path, name):
    return line_of(path, f'id = "{name}"')


def typed(where, table, needed, options):
    """Fails unless the table has the keys, and of the right types."""
    for key, value in table.items():
        kind = needed.get(key) or options.get(key)
        if kind is None:
            raise LabError(f"{where}: unknown key {key!r}")
        if type(value) is not kind:
            raise LabError(f"{where}: {key} = {value!r} is no "
                           f"{kind.__name__}")
    for key in needed:
        if key not in table:
            raise LabError(f"{where}: there is no {key}")


def slug(heading):
    return re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")


def check_see(where, folder, see):
    page, _, anchor = see.partition("#")
    path = folder / page
    if not path.is_file():
        raise LabError(f"{where}: see = {see!r}: there is no {page}")
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    if anchor and anchor not in map(slug, headings):
        raise LabError(f"{where}: see = {see!r}: {page} has no heading "
                       f"for #{anchor}")


def make_test(path, table):
    name = table.get("id", "?")
    shown = path.relative_to(path.parents[2])
    where = f"{shown}:{line_of_test(path, name)}"
    typed(where, table, NEEDED, OPTIONS)
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise LabError(f"{where}: id {name!r} is not of a-z 0-9 -")
    if table["points"] < 0 or table["budget"] < 1:
        raise LabError(f"{where}: points or budget out of range")
    if table.get("visibility", "public") not in VISIBILITY:
        raise LabError(f"{where}: visibility is one of "
                       f"{', '.join(VISIBILITY)}")
    cpus = table.get("cpus", [1])
    if not cpus or not all(type(n) is int and 1 <= n <= 64 for n in cpus):
        raise LabError(f"{where}: cpus is a list of 1 to 64")
    if not 1 <= table.get("seeds", 1) <= 1000:
        raise LabError(f"{where}: seeds is 1 to 1000")
    if table.get("seeds", 1) > 1 and "{seed}" not in \
            table["run"] + " ".join(table.get("set", [])):
        raise LabError(f"{where}: seeds, but no {{seed}} in run or set")
    if "see" in table:
        check_see(where, path.parent, table["see"])
    fields = dict(table, lab=path.parent.name)
    fields["words"] = fields.pop("set", [])
    return Test(**fields)


def load_own(path):
    """The lab of that lab.toml without the tests of earlier ones."""
    shown = path.relative_to(path.parents[2])
    try:
        table = toml(path.read_text())
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f"{shown}:1: {error}") from error
    typed(f"{shown}:1", table, LAB_KEYS, {})
    tests = [make_test(path, t) for t in table.pop("test")]
    ids = [t.id for t in tests]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice:
        raise LabError(f"{shown}:{line_of_test(path, twice)}: "
                       f"two tests are called {twice}")
    lab = Lab(path.parent.name, path.parent, tests=tests, **table)
    if not 0 <= lab.floor:
        raise LabError(f"{shown}:1: floor is below 0")
    return lab


def own_labs(root=ROOT):
    """All labs of the tree, in their order, without regression tests."""
    found = [load_own(p) for p in sorted((root / "labs").glob("*/lab.toml"))]
    numbers = [lab.number for lab in found if lab.number]
    for lab in found:
        if numbers.count(lab.number) > 1:
            raise LabError(f"labs/{lab.name}/lab.toml:1: two labs have the "
                           f"number {lab.number}")
    return sorted(found, key=lambda lab: (lab.order, lab.name))


def regressions(lab, labs, share=SHARE):
    """The tests that earlier labs leave on, one boot each; they share out
    `share` points, the first of them the odd ones."""
    kept = [(other, test) for other in labs if other.order < lab.order
            for test in other.tests if test.keep]
    each, odd = divmod(share, len(kept)) if kept else (0, 0)
    return [Test(**{**vars(test), "id": f"{other.name}-{test.id}",
                    "points": each + (i < odd), "cpus": test.cpus[:1],
                    "seeds": 1, "regression": True, "keep": False,
                    "see": "", "visibility": "public"})
            for i, (other, test) in enumerate(kept)]


def load(name, root=ROOT):
    """The lab of that name, or whose lab.toml this is, regressions too."""
    if isinstance(name, Path):
        root, name = name.parents[2], name.parent.name
    labs = own_labs(root)
    lab = next((one for one in labs if one.name == name), None)
    if lab is None:
        known = ", ".join(one.name for one in labs)
        raise LabError(f"labs/{name}/lab.toml:1: there is no such lab; "
                       f"there are {known}")
    lab.tests = lab.tests + regressions(lab, labs)
    if lab.floor > lab.total:
        raise LabError(f"labs/{name}/lab.toml:1: the floor is above the "
                       f"total of {lab.total}")
    return lab


# --- the gaps -----------------------------------------------------------------
def find_gaps(root=ROOT, files=None):
    """All gaps of the tree; each must be of a lab that there is."""
    names = {p.parent.name for p in (root / "labs").glob("*/lab.toml")}
    found = []
    for path in files or tracked(root):
        if not marked(path):
            continue
        for gap in Reader(path, (root / path).read_text()).pieces():
            if not isinstance(gap, Gap):
                continue
            if gap.lab not in names:
                raise LabError(f"{path}:{gap.line}: there is no lab "
                               f"{gap.lab}")
            found.append(gap)
    return found


def check_files(lab, gaps):
    """lab.toml's `files` are those that have gaps; a lab without gaps, the
    open one, names what it likes."""
    gapped = sorted({g.path for g in gaps if g.lab == lab.name})
    listed = sorted(set(lab.files) - {ANSWERS})
    if gapped and listed != gapped:
        path = lab.folder / "lab.toml"
        raise LabError(f"labs/{lab.name}/lab.toml:{line_of(path, 'files')}: "
                       f"files are {listed}, gaps are in {gapped}")


# --- the student tree ---------------------------------------------------------
def tracked(root=ROOT):
    """The files that are the project's, in order."""
    if (root / ".git").exists():
        done = subprocess.run(["git", "-C", root, "ls-files", "-z"],
                              capture_output=True, text=True, check=True)
        return sorted(p for p in done.stdout.split("\0")
                      if p and (root / p).is_file())
    return sorted(str(p.relative_to(root)) for p in root.rglob("*")
                  if p.is_file() and not p.is_symlink()
                  and p.relative_to(root).parts[0] != "build"
                  and "__pycache__" not in p.parts)


def student_toml(text, own):
    """lab.toml with those tests alone that are public; of an earlier lab
    only those that stay on, without its handout."""
    head, *blocks = re.split(r"^(?=\[\[test\]\])", text, flags=re.M)
    blocks = [b for b in blocks if not
              re.search(r'^visibility = "(hidden|after_due)"', b, re.M)]
    if not own:
        blocks = [re.sub(r"^see = .*\n", "", b, flags=re.M) for b in blocks
                  if re.search(r"^keep = true", b, re.M)]
    return head + "".join(blocks)


def lab_files(lab, labs, files):
    """Of labs/: this one's own files for students and the figures of its
    handout, of earlier ones what their regression tests need."""
    handout = (lab.folder / "handout.md").read_text()
    earlier = [one.name for one in labs if one.order < lab.order
               and any(test.keep for test in one.tests)]
    for path in files:
        parts = path.split("/")
        if parts[0] != "labs" or (len(parts) == 2 and parts[1] != "lab.h"):
            continue
        if len(parts) == 2 or path.endswith((".c", ".h", "lab.toml")) and \
                parts[1] in (lab.name, *earlier) and len(parts) == 3:
            yield path
        elif parts[1] == "figures" and parts[-1] in handout:
            yield path
        elif parts[1] == lab.name and "wrong" not in parts and \
                parts[2] != "teacher.md":
            yield path


def readme(lab, gaps):
    """The student tree's first page."""
    template = (ROOT / "labs" / "student.md").read_text()
    places = "\n".join(f"- {g.path}: "
                       + " ".join(x.strip().strip("*/ ") for x in g.begin)
                       .split("begin:")[1].strip()
                       for g in gaps if g.lab == lab.name)
    return template.format(name=lab.name, title=lab.title, hours=lab.hours,
                           places=places, floor=lab.floor, total=lab.total,
                           files="\n".join(f"- {f}" for f in lab.files))


def write(out, path, data, mode=0o644):
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(mode)


def manifest(out, allowed):
    """Lines as of sha256sum for every file that must stay as it is."""
    lines = []
    for path in tracked(out):
        if path not in allowed and not path.endswith(".md"):
            digest = hashlib.sha256((out / path).read_bytes()).hexdigest()
            lines.append(f"{digest}  {path}\n")
    return "".join(lines)


def generate(name, out, root=ROOT):
    """Writes the student tree of that lab into `out`, which must be empty
    or not be there. Returns the Lab."""
    files = tracked(root)
    gaps = find_gaps(root, files)
    lab, labs = load(name, root), own_labs(root)
    check_files(lab, gaps)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise LabError(f"{out}:1: is there already, and not empty")
    keep = [p for p in files if not p.startswith(KEPT_BACK)]
    keep += lab_files(lab, labs, files)
    for path in keep:
        data = (root / path).read_bytes()
        if marked(path):
            data = student_text(path, data.decode(), name).encode()
        elif path.endswith("lab.toml"):
            own = path == f"labs/{name}/lab.toml"
            data = student_toml(data.decode(), own).encode()
        write(out, path, data, (root / path).stat().st_mode & 0o777)
    for path in (p for p in files if p.startswith("tools/student/")):
        write(out, path.removeprefix("tools/student/"),
              (root / path).read_bytes(),
              (root / path).stat().st_mode & 0o777)
    lab = load(name, out)
    write(out, "README.md", readme(lab, gaps).encode())
    write(out, ANSWERS, f"# Answers: {lab.title}\n".encode())
    allowed = [*lab.files] + [ANSWERS] * (ANSWERS not in lab.files)
    write(out, "files.allow", "".join(f"{f}\n" for f in allowed).encode())
    write(out, ".lab", f"{name}\n".encode())
    write(out, f"labs/{name}/manifest", manifest(out, allowed).encode())
    return lab


# --- tools/weir lab -----------------------------------------------------------
def lab_command(args):
    try:
        if not args.name:
            for lab in map(lambda one: load(one.name), own_labs()):
                print(f"{lab.number or '-'} {lab.name:10} {lab.total:4} "
                      f"points, the starter has {lab.floor:3}; "
                      f"{lab.hours:2} h  {lab.title}")
            return 0
        out = Path(args.out or f"lab-{args.name}")
        lab = generate(args.name, out)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    print(f"lab: {out} is the tree of a student of lab {lab.name}, "
          f"{lab.title}; begin with {out}/README.md")
    return 0


def add_verbs(sub):
    parser = sub.add_parser("lab", help="writes the student tree of a lab; "
                            "without a NAME: the list of labs")
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--out", metavar="DIR",
                        help="new or empty; default: lab-NAME")
    parser.set_defaults(run=lab_command)
