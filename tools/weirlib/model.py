"""`make model`: the protocol of mm/ in Promela (tools/model), checked by spin.

For each policy every reachable state is looked at, and for each planted bug
spin finds the shortest way to what it breaks; the way is kept as a table with
a column for each CPU, build/model/NAME.txt.
"""

import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass

from weirlib.vm import ROOT

SOURCE = ROOT / "tools" / "model" / "weir.pml"
BUILD = ROOT / "build" / "model"
MEMORY_MIB = 6000
STACK = 100_000         # steps; the longest way is below a thousand
WIDTH = 29              # of a column of a table

POLICIES = ("immediate", "batch-clean", "batch-dirty", "two-pass", "lazy")

# Name -> number in types.pml (0: spin's own check), what it says.
PROPERTIES = {
    "P1": (1, "no frame is handed out that a CPU can still reach"),
    "P2": (2, "no IO on a frame that a CPU can still write to"),
    "P3": (4, "what an unmap or protect took is gone when it returns"),
    "single flight": (8, "a page is read once, and waited for"),
    "debts paid": (16, "when all is quiet nothing is owed"),
    "no lost write": (32, "a page has the last store to it"),
    "no stale read": (64, "nobody writes while an old frame can be read"),
    "no deadlock": (0, "somebody can always go on, or all is done"),
}

PASS = {"RECLAIMERS": 1, "CALLS": 0, "SWITCHES": 0}
PASSES = {"RECLAIMERS": 2, "CALLS": 0, "SWITCHES": 0}

# The whole, at rest but for the CPUs' spaces; and with a CPU that switches.
PARTS = {
    "calls": {"RECLAIMERS": 2, "CALLS": 1, "SWITCHES": 0},
    "switch": {"RECLAIMERS": 1, "CALLS": 1, "SWITCHES": 1},
}
# Of lazy, which has more states: two passes, but no call; a ring that is full
# with one group. A frame is free at the beginning, so that a page may soon be
# in a new one beside its old one.
LAZY = {"POLICY": POLICIES.index("lazy"), "PAGES_IN": 1}
LAZY_PARTS = {
    "passes": {**PASSES, **LAZY},
    "full": {**PASSES, **LAZY, "GROUPS": 1},
    "switch": {**PARTS["switch"], **LAZY},
}

CALL = PARTS["calls"]
SWITCH = {"RECLAIMERS": 1, "CALLS": 0, "SWITCHES": 1}
LAZY_PASS = {**PASS, **LAZY}

# Name, what is planted, the smallest part that shows it, what it breaks.
BUGS = [
    ("Z1", "IO starts before the flush", PASS, ("P2", "no lost write")),
    ("Z2", "frames are freed before the flush", PASS, ("P1",)),
    ("Z4", "a nested pass resets the batch", PASS, ("debts paid", "P1")),
    ("Z5", "unmap and protect ignore an open batch", CALL, ("P3",)),
    ("Z6", "the debt is a boolean", CALL, ("P3",)),
    ("Z8", "the debt is recorded after the unlock", CALL, ("P3",)),
    ("Z12", "a pass forgets the debt of a dying region", CALL, ("P1",)),
    ("Z22", "the PTE is read, then cleared", PASS, ("no lost write",)),
    ("Z26", "no second look before the frame is freed", PASS, ("P1",)),
    ("Z27", "who finds a page on its way in does not wait", PASS,
     ("single flight",)),
    ("Z29", "a page may be written while it is written out", PASS, ("P2",)),
    ("Z30", "CR3 is loaded before the CPU's bit is set", SWITCH, ("P1",)),
    ("Z32", "a lazy CPU does not catch up", SWITCH, ("P1",)),
    ("Z33", "a range flush claims newer generations", CALL, ("P1",)),
    ("Z35", "a flush that flushes nothing", PASS, ("P1",)),
    ("L1", "frames are freed though CPUs have not passed their group",
     LAZY_PASS, ("P1",)),
    ("L2", "a page is written to while an old frame of it is read", LAZY_PASS,
     ("no stale read",)),
    ("L3", "who returns to user mode passes groups without a flush",
     LAZY_PASS, ("P1",)),
    ("I14", "the acknowledgement comes before the flush", PASS, ("P1",)),
    ("I21", "who waits for acknowledgements serves nobody", PASSES,
     ("no deadlock",)),
    ("I22", "a clean page resets `writable`", PASS, ("P2", "no lost write")),
]


class Failed(Exception):
    """The machinery, not the model."""


@dataclass
class Verdict:
    states: int
    broken: str     # the property, or ""


def run(command, folder):
    try:
        return subprocess.run(command, cwd=folder, capture_output=True,
                              text=True, check=False)
    except FileNotFoundError as error:
        raise Failed(f"{error.filename} is missing; "
                     "tools/weir setup installs it") from error


def flags_of(defines):
    return [f"-D{name}={value}" for name, value in defines.items()]


def search(folder, defines, options, arguments):
    """Spin makes a program of the model, which searches. Its output."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in (
            ["spin", *flags_of(defines), "-a", "-o3", str(SOURCE)],
            ["gcc", "-w", f"-DMEMLIM={MEMORY_MIB}", "-DSAFETY",
             *options, "-o", "pan", "pan.c"]):
        done = run(command, folder)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    done = run(["./pan", f"-m{STACK}", "-n", *arguments], folder)
    (folder / "pan.txt").write_text(done.stdout + done.stderr)
    return done.stdout + done.stderr


def judge(text, folder, defines):
    """What the search found. It must have been a whole one, or broken."""
    states = re.search(r"(\d[\d.e+]*) states, stored", text)
    errors = re.search(r"errors: (\d+)", text)
    if not states or not errors or "max search depth too small" in text:
        raise Failed(f"{folder}: the search did not end\n{text[-2000:]}")
    states = int(float(states.group(1)))
    if errors.group(1) == "0":
        if "Search not completed" in text or "out of memory" in text:
            raise Failed(f"{folder}: the search did not end")
        return Verdict(states, "")
    if "invalid end state" in text.split("(Spin")[0]:
        return Verdict(states, "no deadlock")
    for _, line in trail(folder, defines):
        if line.startswith("!"):
            number = int(line[1:])
            return Verdict(states, next(name for name, (n, _) in
                                        PROPERTIES.items() if n == number))
    raise Failed(f"{folder}: an assertion of the model itself\n{text[:300]}")


# ---- tables ---------------------------------------------------------------

def trail(folder, defines):
    """The steps that spin found: [(column, text)]."""
    done = run(["spin", *flags_of(defines), "-t", "-T", "-B", "-k",
                "weir.pml.trail", str(SOURCE)], folder)
    steps = []
    for line in done.stdout.splitlines():
        match = re.match(r"@(\d) (.*)", line)
        if match:
            steps.append((int(match.group(1)), words(match.group(2))))
        elif line.startswith("!"):
            steps.append((None, line))
    return steps


def words(text):
    """`1{clean|dirty}` is "dirty"."""
    return re.sub(r"(\d)\{([^}]*)\}",
                  lambda m: m.group(2).split("|")[int(m.group(1))],
                  text).replace("  ", " ")


def table(title, steps, end):
    heads = ("CPU 0", "CPU 1", "swap device")
    bar = "+".join(["-" * 4] + ["-" * (WIDTH + 2)] * 3)
    rows = [title, "", f"{'':3} | " + " | ".join(
        f"{head:{WIDTH}}" for head in heads).rstrip(), bar]
    number = 0
    for column, text in steps:
        if column is None:
            continue
        number += 1
        for i, part in enumerate(textwrap.wrap(text, WIDTH)):
            cells = [""] * 3
            cells[column] = part
            rows.append(f"{'' if i else number:>3} | " + " | ".join(
                f"{cell:{WIDTH}}" for cell in cells).rstrip())
    rows += [bar, *textwrap.wrap(end, 100), ""]
    return "\n".join(line.rstrip() for line in rows)


# ---- what is checked ------------------------------------------------------

def check_policy(policy, parts):
    """{part: verdict}; stops at the first that is broken."""
    verdicts = {}
    for part, defines in parts.items():
        defines = {"POLICY": POLICIES.index(policy), **defines}
        folder = BUILD / f"{policy}-{part}"
        text = search(folder, defines, ["-O2", "-DCOLLAPSE"],
                      ["-w25"])
        verdicts[part] = judge(text, folder, defines)
        if verdicts[part].broken:
            broken = verdicts[part].broken
            path = BUILD / f"{policy}-{part}.txt"
            path.write_text(table(
                f"{policy}, {part}", trail(folder, defines),
                f"Broken: {broken}: {PROPERTIES[broken][1]}."))
            print(f"see {path.relative_to(ROOT)}")
            break
    return verdicts


def parts_of(policy, small):
    if policy == "lazy":
        return {"small": LAZY_PASS} if small else LAZY_PARTS
    return {"small": PASS} if small else PARTS


def report_policy(policy, small):
    """A line per property; the number of those that hold."""
    verdicts = check_policy(policy, parts_of(policy, small))
    broken = "".join(v.broken for v in verdicts.values())
    states = " + ".join(f"{v.states:,}" for v in verdicts.values())
    for name, (_, what) in PROPERTIES.items():
        verdict = "holds" if not broken else \
            "BROKEN" if name == broken else "unknown"
        print(f"{policy:11} {name:13} {verdict:7} {states} states  {what}",
              flush=True)
    return 0 if broken else len(PROPERTIES)


def hunt(name, part, prop):
    """The shortest way to break `prop` with the bug; (steps, table)."""
    defines = {"POLICY": POLICIES.index("two-pass"), "MUTANT": name,
               "CHECK": PROPERTIES[prop][0], **part}
    folder = BUILD / f"{name}-{prop.replace(' ', '-')}"
    text = search(folder, defines, ["-DBFS"], [])
    verdict = judge(text, folder, defines)
    steps = trail(folder, defines) if verdict.broken else []
    return verdict, [step for step in steps if step[0] is not None]


def report_bug(name, what, part, props):
    """A line; whether everything that it must break was broken."""
    found, tables, ok = [], [], True
    for prop in props:
        verdict, steps = hunt(name, part, prop)
        if verdict.broken != prop:
            ok = False
            found.append(f"{prop}: {verdict.broken or 'NOT BROKEN'}")
            continue
        found.append(f"{prop} after {len(steps)} steps")
        tables.append(table(
            f"{name}: {what}. The shortest way to break: {prop}", steps,
            f"Broken: {prop}: {PROPERTIES[prop][1]}."))
    path = BUILD / f"{name}.txt"
    path.write_text("\n".join(tables))
    print(f"{name:4} {'found' if ok else 'MISSED':6} {what}: "
          f"{', '.join(found)}; {path.relative_to(ROOT)}", flush=True)
    return ok


def model(args):
    wanted = args.names
    known = {*POLICIES, *(bug[0] for bug in BUGS)}
    if set(wanted) - known:
        print("tools/weir model: there is no " +
              ", ".join(sorted(set(wanted) - known)), file=sys.stderr)
        return 2
    policies = [p for p in POLICIES if not wanted or p in wanted]
    bugs = [bug for bug in BUGS if not wanted or bug[0] in wanted]
    try:
        holds = sum(report_policy(p, args.small) for p in policies)
        found = sum(report_bug(*bug) for bug in bugs)
    except Failed as error:
        print(f"tools/weir model: {error}", file=sys.stderr)
        return 1
    print(f"{holds} properties hold, {found} planted bugs found")
    return 0 if (holds, found) == (len(policies) * len(PROPERTIES),
                                   len(bugs)) else 1


def add_verbs(sub):
    verb = sub.add_parser("model", help="check the protocol's model: each "
                          "policy, and the shortest way of each planted bug")
    verb.add_argument("names", nargs="*", metavar="NAME",
                      help="a policy or a bug; default: all")
    verb.add_argument("--small", action="store_true",
                      help="a policy with one reclaimer and nothing else")
    verb.set_defaults(run=model)
