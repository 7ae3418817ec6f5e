"""What the kernel's sources say about themselves, for pictures: enums, fields
with their comments, tables, breadcrumbs. What is not found is an error: then
the sources have changed their form, and this must follow.
"""

import re
from dataclasses import dataclass

from weirlib.vm import ROOT


class SourceError(Exception):
    """The sources are not of the form that is read here."""


def read(path):
    return (ROOT / path).read_text()


def need(found, what):
    if not found:
        raise SourceError(f"not found: {what}")
    return found


def plain(comment):
    """A C comment's words."""
    return re.sub(r"\s+", " ", re.sub(r"\n\s*\*", " ", comment)).strip()


def body_of(path, head):
    """What stands between the braces after `head`."""
    match = re.search(re.escape(head) + r"\s*{\n(.*?)\n}", read(path), re.S)
    return need(match, f"{head} in {path}")[1]


def members(path, name):
    """[(member, comment)] of an enum."""
    return [(member, plain(comment or "")) for member, comment in need(
        re.findall(r"^\s*(\w+),?[ \t]*(?:/\*(.*?)\*/)?",
                   body_of(path, f"enum {name}"), re.M | re.S),
        f"members of {name}")]


def fields(path, name):
    """{field: comment} of a struct, those of structs inside it, too."""
    comment = r";[ \t]*(?:/\*((?:(?!\*/).)*)\*/)?"
    declared = (r"^\s*[\w ]+[ *](\w+(?:\[\w*\])?(?:, \w+)*)" + comment,
                r"^\s*\w+_HEAD\(, \w+\) (\w+)" + comment)
    text, found = body_of(path, f"struct {name}"), {}
    for pattern in declared:
        for names, about in re.findall(pattern, text, re.M | re.S):
            found |= dict.fromkeys(re.findall(r"\w+", names.split("[")[0]),
                                   plain(about))
    return need(found, f"fields of {name}")


def define(path, name):
    """The text of a #define, without its comment."""
    match = re.search(rf"^#define {name}[ \t]+(.*?)[ \t]*(?:/\*.*)?$",
                      read(path), re.M)
    return need(match, f"#define {name} in {path}")[1]


def integer(path, name):
    text = define(path, name).replace("ull", "").replace("u", "")
    return int(text.strip("()"), 0)


def moves():
    """{state: [states that may follow]} of mm/frame_state.c."""
    table = need(re.search(r"states\[FRAME_NSTATES\] = {(.*?)\n};",
                           read("mm/frame_state.c"), re.S), "states")[1]
    rows = re.findall(r"\tSTATE\((\w+), (.*?)\),\n", table + "\n", re.S)
    return {state: re.findall(r"TO\((\w+)\)", exits)
            for state, exits in need(rows, "rows of states")}


def bits():
    """[(name, bit, comment)] of a page-table entry."""
    return [(name, int(bit), comment.strip()) for name, bit, comment in need(
        re.findall(r"^#define PTE_(\w+) \(1ull << (\d+)\)[ \t]*"
                   r"(?:/\*(.*?)\*/)?", read("arch/x86_64/paging.h"), re.M),
        "PTE bits")]


def policies():
    """[(name, set of its flags)], as they stand in mm/policy.c."""
    table = need(re.search(r"tlb_policies\[WEIR_NPOLICIES\] = {(.*?)\n};",
                           read("mm/policy.c"), re.S), "tlb_policies")[1]
    return [(name, set(re.findall(r"\.(\w+) = true", rest)))
            for name, rest in re.findall(r'{ (?:\.name = )?"([\w-]+)"(.*?)}', table, re.S)]


def locks():
    """[(kinds in a row, comment before them)], outermost first."""
    text = need(re.search(r"#define LOCK_ORDER\(X\)(.*?)\n\n",
                          read("arch/x86_64/lock_order.h"), re.S),
                "LOCK_ORDER")[1]
    groups, comment = [], ""
    for note, kind in re.findall(r"/\*(.*?)\*/|X\((\w+)\)", text, re.S):
        if note or not groups:
            comment = plain(note)
            groups.append(([], comment))
        if kind:
            groups[-1][0].append(kind)
    return groups


@dataclass
class Crumb:
    """A place of a numbered trail: [fault 3/6]."""
    number: int
    path: str
    function: str
    text: str


def function_at(text, at):
    """The function that the comment at `at` stands before, or in."""
    name = r"^\w[\w *]*?\*?(\w+)\([^;{}]*?\)\n{"
    if text[text.rfind("\n", 0, at) + 1:at].startswith("\t"):
        return need(re.findall(name, text[:at], re.M), "function")[-1]
    return need(re.search(name, text[at:], re.M), "function")[1]


def trail(name):
    """The crumbs of a trail, in order; there is one for each number."""
    crumbs, total = [], 0
    for path in sorted(ROOT.glob("mm/*.c")):
        text = path.read_text()
        for match in re.finditer(rf"\[{name} (\d+)/(\d+)\]"
                                 rf"((?:(?!\*/|\[{name}).)*)", text, re.S):
            total = int(match[2])
            sentence = re.match(r".*?[.?;](?= |$)|.*", plain(match[3]))[0]
            crumbs.append(Crumb(int(match[1]), path.name,
                                function_at(text, match.start()),
                                sentence.rstrip(";")))
    crumbs.sort(key=lambda crumb: crumb.number)
    numbers = [crumb.number for crumb in crumbs]
    need(total and numbers == list(range(1, total + 1)), f"trail {name}")
    return crumbs


def shootdown():
    """The two columns of the header of mm/tlb.c: [steps of the initiator],
    [steps of the target], which step asks, which one is answered."""
    text = need(re.search(r"^ \* Initiator +Target\n(.*?)\n \*\n",
                          read("mm/tlb.c"), re.M | re.S), "Initiator")
    column = text[0].splitlines()[0].index("Target")
    left, right, asks, answered = [], [], None, None
    for line in text[1].splitlines():
        step, far = line[2:column].strip(), line[column:].strip()
        asks = len(left) if step.endswith("--") or "-->" in line else asks
        if "<-" in line:
            answered, far = len(left), ""
        left.append(step.replace("-->", "").rstrip(" <-"))
        right.append(far.lstrip("> "))
    running, *rest = [far for far in right if far]
    steps = re.split(r"[:,] *", " ".join(rest))
    need(asks is not None and answered is not None, "arrows of mm/tlb.c")
    return left, [running, *filter(None, steps)], asks, answered


def rungs():
    """[(rung, why the slow path)] of docs/ipc.md."""
    table = need(re.search(r"^\| rung \| .*?\n\|-.*?\n(.*?)\n\n",
                           read("docs/ipc.md"), re.M | re.S), "rungs")[1]
    return [[cell.strip() for cell in row.strip("|").split("|")]
            for row in table.splitlines()]


def outcomes(path):
    """[(letter, what)] of the header of `path`: A ... C ..."""
    header = need(re.match(r"/\*\n(.*?)\*/", read(path), re.S), path)[1]
    rows = "\n".join(line.removeprefix(" *") for line in header.splitlines()
                     if line.startswith(" *   "))
    found = re.findall(r"(?:^|  )\s*([A-Z]) (.*?)(?=  +[A-Z] |\n +[A-Z] |\Z)",
                       rows, re.S)
    return sorted((letter, plain(what)) for letter, what in
                  need(found, f"outcomes of {path}"))
