"""The pictures of labs/figures, drawn from the sources' own structures:
`tools/weir docs` writes them, tests/host/test_lab_figures.py says when they
are stale.
"""

import re

from weirlib import source
from weirlib.svg import BLUE, GREEN, GREY, ORANGE, PALE, RED, Picture, wrap
from weirlib.vm import ROOT

FOLDER = ROOT / "labs/figures"


# --- states of a frame --------------------------------------------------------
# Where each stands on the page; the arrows are the table's.
PLACES = {"FREE": (70, 70), "PINNED": (250, 70), "INBOUND": (470, 70),
          "ACTIVE": (250, 190), "INACTIVE": (470, 190),
          "ISOLATED": (470, 310), "LAUNDRY": (680, 310), "LIMBO": (250, 310)}
HALF_W, HALF_H = 52, 17


def edge(a, b, shift):
    """From the edge of box `a` to that of `b`, `shift` to the right."""
    (x1, y1), (x2, y2) = a, b
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    x, y = -dy * shift, dx * shift

    def out(dx, dy):
        """How far a box reaches along the shifted line."""
        return min((half - at * (1 if d > 0 else -1)) / abs(d)
                   for half, at, d in ((HALF_W, x, dx), (HALF_H, y, dy)) if d)

    first, last = out(dx, dy), out(-dx, -dy)
    return (x1 + dx * first + x, y1 + dy * first + y,
            x2 - dx * last + x, y2 - dy * last + y)


def frame_states():
    p = Picture(760, 365, "The states of a frame and the legal moves")
    exits = dict(source.moves())
    about = {name.removeprefix("FRAME_"): text
             for name, text in source.members("mm/frame.h", "frame_state")}
    source.need(set(exits) == set(PLACES), "a place for each state")
    for state, following in exits.items():
        for to in following:
            both = state in exits[to]
            x1, y1, x2, y2 = edge(PLACES[state], PLACES[to],
                                  6 if both else 0)
            p.arrow((x1, y1), (x2, y2))
    free = PLACES["FREE"]
    p.arrow((free[0] + HALF_W, free[1] - 6),
            (PLACES["PINNED"][0] - HALF_W, free[1] - 6), dash="4 3")
    p.arrow((PLACES["PINNED"][0] - HALF_W, free[1] + 6),
            (free[0] + HALF_W, free[1] + 6), dash="4 3")
    p.arrow((PLACES["LIMBO"][0] - HALF_W, 310), (70, 310),
            (70, free[1] + HALF_H), dash="4 3")
    p.arrow((470, 70 - HALF_H), (470, 28), (70, 28), (70, 70 - HALF_H),
            dash="4 3")
    p.text(80, 22, "frame_alloc, frame_free: dashed", 11, fill=GREY)
    p.text(575, 332, "fence 1", 11, anchor="middle", fill=RED, bold=True)
    p.text(360, 300, "fence 2", 11, anchor="middle", fill=RED, bold=True)
    p.text(575, 300, "IO done", 11, anchor="middle", fill=GREY)
    fills = {"ACTIVE": GREEN, "INACTIVE": GREEN, "ISOLATED": ORANGE,
             "LAUNDRY": ORANGE, "LIMBO": ORANGE, "INBOUND": BLUE}
    for state, (x, y) in PLACES.items():
        p.label(x - HALF_W, y - HALF_H, 2 * HALF_W, 2 * HALF_H, state,
                fills.get(state, PALE), 12, mono=True, bold=True)
    for state, (x, y) in PLACES.items():
        if state in ("ISOLATED", "LAUNDRY", "LIMBO"):
            for i, line in enumerate(wrap(about[state], 150, 10)):
                p.text(x, y + 36 + 13 * i, line, 10, anchor="middle",
                       fill=GREY)
    return p


# --- page tables --------------------------------------------------------------
def pte():
    found = source.bits()
    mask = source.integer("arch/x86_64/paging.h", "PTE_ADDR")
    low, high = (mask & -mask).bit_length() - 1, mask.bit_length() - 1
    p = Picture(760, 120 + 17 * len(found), "The bits of a page-table entry")
    named = {bit: name for name, bit, _ in found}
    cells = [(63, 63)] + [(62, high + 1), (high, low)] + \
        [(bit, bit) for bit in range(low - 1, -1, -1)]
    x, share = 20, {1: 34}
    for first, last in cells:
        count = first - last + 1
        wide = share.get(count, 224 if last == low else 56)
        name = named.get(first) if count == 1 else \
            "frame's address" if last == low else ""
        p.label(x, 44, wide, 34, name or "",
                BLUE if last == low else ORANGE if name in ("A", "D") else
                GREEN if name else "white", 11 if count == 1 else 12,
                mono=count == 1, bold=count == 1)
        p.text(x + wide / 2, 38, str(first) if count == 1 else
               f"{first} … {last}", 10, anchor="middle", fill=GREY)
        x += wide
    p.text(20, 18, "A page-table entry (arch/x86_64/paging.h)", 13, bold=True)
    y = 104
    for name, bit, comment in sorted(found, key=lambda one: one[1]):
        p.text(30, y, f"PTE_{name}", 11, mono=True, bold=True)
        p.text(120, y, f"bit {bit}", 11, fill=GREY)
        p.text(180, y, comment or "write-through", 11)
        if name in ("A", "D"):
            p.text(330, y, "set by the CPU itself, in a locked step", 11,
                   fill=RED)
        y += 17
    return p


def walk():
    levels = int(source.need(re.search(
        r"\.levels = (\d)", source.read("mm/aspace.c")), "levels")[1])
    each = source.integer("mm/radix.h", "RADIX_BITS")
    p = Picture(760, 330, "From an address to its page, four tables down")
    names = ["PML4", "PDPT", "page directory", "page table"]
    source.need(levels == len(names), "a name for each level")
    p.text(20, 20, f"An address of {12 + each * levels} bits: {levels} "
           f"indices of {each} bits, and 12 bits within the page", 13,
           bold=True)
    wide, x = 118, 20
    for i, name in enumerate(names):
        top = 12 + each * (levels - i) - 1
        p.label(x, 52, wide, 30, f"index {levels - 1 - i}", GREEN)
        p.text(x + wide / 2, 46, f"{top} … {top - each + 1}", 10,
               anchor="middle", fill=GREY)
        here = 150 + 24 * i
        p.box(x + 14, 130, 90, 150)
        p.text(x + 59, 298, name, 11, anchor="middle")
        p.text(x + 59, 312, f"{1 << each} cells", 10, anchor="middle",
               fill=GREY)
        p.label(x + 14, here, 90, 18, "P | …", ORANGE, 10, mono=True)
        p.arrow((x + 8, 82), (x + 8, here + 9), (x + 14, here + 9))
        if i < levels - 1:
            p.arrow((x + 104, here + 9), (x + 124, here + 9), (x + 124, 122),
                    (x + wide + 40, 122), (x + wide + 40, 130))
        x += wide
    p.label(x, 52, 150, 30, "byte in the page", BLUE)
    p.text(x + 75, 46, "11 … 0", 10, anchor="middle", fill=GREY)
    p.box(x + 40, 130, 120, 150, BLUE)
    p.text(x + 100, 298, "the frame, 4096 bytes", 11, anchor="middle")
    p.arrow((x - 14, 231), (x + 40, 231))
    p.text(x + 100, 220, "the byte", 11, anchor="middle")
    p.arrow((x + 20, 82), (x + 20, 215), (x + 40, 215))
    p.text(34, 118, "t->root (CR3)", 11, mono=True)
    return p


# --- trails -------------------------------------------------------------------
def trail(name, title, fences=()):
    crumbs = source.trail(name)
    rows = [wrap(crumb.text, 470, 12) for crumb in crumbs]
    p = Picture(760, 50 + sum(max(40, 16 * len(r) + 22) for r in rows), title)
    p.text(20, 24, title, 14, bold=True)
    y = 46
    for crumb, lines in zip(crumbs, rows):
        high = max(40, 16 * len(lines) + 22)
        fence = crumb.number in fences
        if crumb is not crumbs[-1]:
            p.arrow((38, y + 28), (38, y + high + 2))
        p.add("circle", cx=38, cy=y + 14, r=14,
              fill=ORANGE if fence else BLUE, stroke="#1b1b1b")
        p.text(38, y + 18, str(crumb.number), 12, bold=True, anchor="middle")
        p.text(66, y + 12, f"{crumb.function}()", 12, mono=True, bold=True)
        p.text(66, y + 27, f"mm/{crumb.path}", 10, fill=GREY)
        for i, line in enumerate(lines):
            p.text(270, y + 14 + 16 * i, line, 12)
        y += high
    return p


def fault_trail():
    return trail("fault", "One page fault, step by step")


def page_out_trail():
    fences = [c.number for c in source.trail("page-out") if "ence " in c.text]
    return trail("page-out", "One page out, step by step", fences)


# --- locks --------------------------------------------------------------------
def locks():
    groups = source.locks()
    count = sum(len(kinds) for kinds, _ in groups)
    p = Picture(560, 70 + 24 * count + 20 * len(groups),
                "The order of the spinlocks")
    p.text(20, 24, "Take only what is below all that you hold", 14, bold=True)
    y = 44
    of_mm = {"family", "aspace", "lru", "slots", "frames", "frame_cache"}
    for kinds, comment in groups:
        if comment:
            p.text(230, y + 15, comment, 11, fill=GREY)
        for kind in kinds:
            p.label(60, y, 150, 20, kind, GREEN if kind in of_mm else PALE,
                    11, mono=True)
            y += 24
        y += 20
    p.arrow((36, 46), (36, y - 26))
    p.text(20, y - 4, "outermost first; green: what the labs hold most often",
           11, fill=GREY)
    return p


# --- the shootdown ------------------------------------------------------------
def shootdown():
    left, right, asks, answered = source.shootdown()
    running, *steps = right
    rows = max(len(left), asks + 1 + len(steps)) + 1
    p = Picture(760, 110 + 46 * rows, "One round of a shootdown")
    top = 74
    last = asks + 1 + len(steps)
    p.label(90, 16, 190, 30, "initiator", BLUE, 14, bold=True)
    p.label(480, 16, 190, 30, "target", GREEN, 14, bold=True)
    p.line(185, 46, 185, top + 46 * rows, dash="3 4")
    p.line(575, 46, 575, top + 46 * rows, dash="3 4")
    p.label(440, top, 270, 26 + 46 * asks, "", "white")
    for i, line in enumerate(wrap(running, 250)):
        p.text(575, top + 24 + 16 * i, line, anchor="middle", fill=RED)
    for i, step in enumerate(left):
        row = last if i == answered else i
        p.label(70, top + 46 * row, 230, 28, step,
                ORANGE if i in (asks, answered) else PALE)
    for i, step in enumerate(steps):
        p.label(440, top + 46 * (asks + 1 + i), 270, 28, step,
                ORANGE if i in (0, len(steps) - 1) else PALE, 11)
    p.arrow((300, top + 46 * asks + 14), (440, top + 46 * (asks + 1) + 10))
    p.arrow((440, top + 46 * (last - 1) + 18), (300, top + 46 * last + 14))
    return p


# --- the debt -----------------------------------------------------------------
BATCH = "CCDCDD"    # clean and dirty pages of a batch, as they are isolated


def events(flags, pages):
    """What a pass does: (kind, page), kinds U(nmap) F(lush) W(rite) and
    L(ater). The rules of mm/reclaim.c, and those alone that policies have."""
    done, owed, writable = [], False, False
    run = len(pages) if "whole_batch" in flags else 1
    for first in range(0, len(pages), run):
        part = range(first, first + run)
        for i in part:
            dirty = pages[i] == "D"
            done.append(("U", i))
            owed, writable = True, writable or dirty
            if ("at_dirty" if dirty else "at_clean") in flags:
                done.append(("F", None))
                owed = writable = False
        writes = [i for i in part if pages[i] == "D"]
        if writes and writable:
            done.append(("1", None))
            owed = writable = False
        done += [("W", i) for i in writes]
    if owed:
        done.append(("L" if "lazy" in flags else "2", None))
    return done


def debt():
    p = Picture(760, 490, "The same batch under each policy")
    p.text(20, 24, "One batch of six pages under each policy", 14, bold=True)
    legend = [("unmap, clean", BLUE), ("unmap, dirty", ORANGE),
              ("write out", GREEN), ("a round of interrupts", RED)]
    x = 20
    for text, fill in legend:
        p.box(x, 36, 14, 14, fill)
        p.text(x + 20, 48, text, 11)
        x += 160
    y = 76
    for pages in (BATCH, "C" * len(BATCH)):
        dirty = pages.count("D")
        p.text(20, y, f"{dirty} dirty pages of {len(pages)}" if dirty else
               "all clean", 12, bold=True)
        y += 12
        for name, flags in source.policies():
            x = 130
            p.text(20, y + 18, name, 12, mono=True)
            for kind, page in events(flags, pages):
                if kind in "UW":
                    fill = GREEN if kind == "W" else \
                        ORANGE if pages[page] == "D" else BLUE
                    p.label(x, y + 4, 26, 20, f"{page + 1}", fill, 11)
                    x += 29
                elif kind == "L":
                    p.label(x, y + 4, 80, 20, "waits", "white", 11)
                    x += 84
                else:
                    p.box(x + 1, y, 12, 28, RED, round_=2)
                    if kind in "12":
                        p.text(x + 7, y + 18, kind, 10, bold=True,
                               anchor="middle", fill="white")
                    x += 18
            rounds = sum(kind in "F12" for kind, _ in events(flags, pages))
            p.text(740, y + 18, f"{rounds} round" + "s" * (rounds != 1), 12,
                   anchor="end", bold=True)
            y += 36
        y += 26
    p.text(20, y - 12, "1, 2: the round is fence 1 (before IO) or fence 2 "
           "(before the frames are free); other rounds: at once", 11,
           fill=GREY)
    return p


# --- structures ---------------------------------------------------------------
def struct_box(p, x, y, wide, path, name, chosen, fill=PALE):
    """A structure with some of its fields, which must be there; the bottom."""
    about = source.fields(path, name)
    rows = []
    for field in chosen:
        source.need(field in about, f"{name}.{field}")
        rows.append((field, wrap(about[field], wide - 126, 10)
                     if about[field] else [""]))
    high = 30 + sum(max(18, 13 * len(lines) + 5) for _, lines in rows)
    p.box(x, y, wide, high, fill)
    p.text(x + 8, y + 18, f"struct {name}", 12, mono=True, bold=True)
    at = y + 38
    for field, lines in rows:
        p.text(x + 8, at, field, 11, mono=True)
        for i, line in enumerate(lines):
            p.text(x + 118, at + 13 * i, line, 10, fill=GREY)
        at += max(18, 13 * len(lines) + 5)
    return y + high


def batch():
    p = Picture(760, 370, "What one thread owes, and what a space remembers")
    p.text(20, 24, "A debt has two ends", 14, bold=True)
    end = struct_box(p, 20, 44, 350, "mm/tlb.h", "tlb_batch",
                     ["cpus", "flush_required", "writable", "pages",
                      "nspaces", "as", "gen"], ORANGE)
    p.text(20, end + 20, "A thread's alone: no lock.", 11, fill=GREY)
    end = struct_box(p, 430, 44, 310, "mm/aspace.h", "aspace",
                     ["cpus", "tlb_pending", "tlb_flushed"], BLUE)
    p.arrow((370, 90), (430, 90))
    p.arrow((585, end + 30), (585, end))
    end = struct_box(p, 430, end + 30, 310, "mm/tlb_switch.h", "tlb_cpu",
                     ["as", "seen", "lazy", "inbox", "request"], GREEN)
    p.text(430, end + 20, "A space's and a CPU's: atomic.", 11, fill=GREY)
    return p


def rmap():
    p = Picture(760, 480, "From a frame to its page-table entries")
    p.text(20, 24, "From a frame to every entry that maps it", 14, bold=True)
    struct_box(p, 20, 44, 330, "mm/frame.h", "frame",
               ["family", "index", "mapcount", "dirty"], ORANGE)
    end = struct_box(p, 410, 44, 330, "mm/memobj.h", "family",
                     ["lock", "members"], PALE)
    struct_box(p, 410, 220, 330, "mm/memobj.h", "memobj",
               ["array", "regions"], PALE)
    p.arrow((350, 82), (410, 82))
    p.arrow((575, end), (575, 220))
    p.text(585, 186, "each that names the frame", 11, fill=GREY)
    end = struct_box(p, 20, 220, 330, "mm/aspace.h", "region",
                     ["start", "end", "offset", "as", "dying"], BLUE)
    p.arrow((410, 266), (350, 266))
    p.text(380, 258, "each", 11, anchor="middle", fill=GREY)
    p.arrow((140, end), (140, 394))
    struct_box(p, 20, 394, 330, "mm/aspace.h", "aspace",
               ["lock", "tables"], GREEN)
    p.label(480, 410, 190, 40, "PTE … D A … W P", ORANGE, 13, mono=True)
    p.arrow((350, 430), (480, 430))
    p.text(415, 422, "the walk", 11, anchor="middle", fill=GREY)
    return p


# --- boot ---------------------------------------------------------------------
# Of the ACPI specification's tables of the MADT: (bytes, what).
ENTRIES = {0: ("a CPU with an id of 8 bits",
               [(1, "type"), (1, "len"), (1, "uid"), (1, "APIC id"),
                (4, "flags")]),
           9: ("a CPU with an id of 32 bits",
               [(1, "type"), (1, "len"), (2, "0"), (4, "x2APIC id"),
                (4, "flags"), (4, "uid")])}


def madt():
    path = "arch/x86_64/acpi.c"
    least = [int(n) for n in source.need(re.search(
        r"least\[\] = {([^}]*)}", source.read(path)), "least")[1].split(",")]
    p = Picture(760, 300, "How the CPUs are found")
    p.text(20, 24, "From the firmware to the list of CPUs", 14, bold=True)
    header = source.integer(path, "HEADER_BYTES")
    boxes = [("RSDP", f'"RSD PTR ", {source.integer(path, "RSDP1_BYTES")} or '
              f'{source.integer(path, "RSDP2_BYTES")} bytes'),
             ("XSDT or RSDT", f"{header} bytes, then addresses"),
             ("MADT", f'"APIC", entries from '
              f'{source.integer(path, "MADT_ENTRIES")} on')]
    for i, (name, text) in enumerate(boxes):
        x = 20 + 250 * i
        p.box(x, 44, 210, 54, BLUE if i == 2 else PALE)
        p.text(x + 105, 66, name, 13, bold=True, anchor="middle")
        p.text(x + 105, 86, text, 11, anchor="middle", fill=GREY)
        if i:
            p.arrow((x - 40, 71), (x, 71))
    y = 140
    for kind, (text, parts) in ENTRIES.items():
        source.need(sum(n for n, _ in parts) == least[kind],
                    f"the length of an entry of type {kind}")
        p.text(20, y, f"type {kind}: {text}, {least[kind]} bytes", 12,
               bold=True)
        x, offset = 20, 0
        for n, what in parts:
            wide = 54 if n == 1 else 100
            p.label(x, y + 22, wide, 30, what,
                    ORANGE if "id" in what and what != "uid" else
                    GREEN if what == "flags" else "white", 11)
            p.text(x, y + 18, str(offset), 10, fill=GREY)
            x, offset = x + wide, offset + n
        y += 80
    flag = source.integer(path, "CPU_ENABLED")
    p.text(500, 180, f"flags, bit {flag.bit_length() - 1}: enabled", 11)
    return p


def start_up():
    path = "arch/x86_64/smp.c"
    ms = {name: source.integer(path, name) // 1000000
          for name in ("INIT_NS", "SECOND_NS", "ANSWER_NS")}
    following = re.findall(r"(\w+)\)?(?:\(void\))?;", source.need(re.search(
        r"struct boot_next {(.*?)}", source.read(path), re.S), "boot_next")[1])
    p = Picture(760, 400, "How a CPU is started")
    p.label(90, 16, 200, 30, "the first CPU", BLUE, 14, bold=True)
    p.label(480, 16, 200, 30, "one of the others", GREEN, 14, bold=True)
    p.line(190, 46, 190, 380, dash="3 4")
    p.line(580, 46, 580, 380, dash="3 4")
    p.label(40, 64, 300, 28, "INIT to all others", ORANGE)
    p.arrow((340, 78), (470, 78))
    p.label(470, 64, 220, 28, "waits for a start-up message", PALE, 11)
    p.label(40, 110, 300, 28, f"{ms['INIT_NS']} ms pass", "white")
    p.label(40, 160, 300, 28, "boot_next: " + ", ".join(following), PALE, 12,
            mono=True)
    p.label(40, 206, 300, 28, "start-up message: page number", ORANGE)
    p.arrow((340, 220), (470, 232))
    steps = ["real mode: ap_trampoline", "protected mode, then long mode",
             "boot_next: " + ", ".join(following), "online = true"]
    for i, step in enumerate(steps):
        p.label(470, 218 + 40 * i, 220, 28, step,
                ORANGE if i == 3 else PALE, 11)
    p.label(40, 300, 300, 28, f"not online after {ms['SECOND_NS']} ms? once "
            "more", "white", 11)
    p.arrow((470, 352), (340, 352))
    p.label(40, 338, 300, 28, f"online; or, after {ms['ANSWER_NS'] // 1000} "
            "s, a panic", ORANGE, 11)
    return p


# --- the fast path ------------------------------------------------------------
def ladder():
    rows = source.rungs()
    p = Picture(760, 110 + 34 * len(rows), "The ladder of the fast path")
    p.text(20, 24, "Every rung holds, or the slow path does it", 14,
           bold=True)
    y = 40
    for rung, why in rows:
        lines = wrap(rung, 420, 11)
        p.box(20, y, 440, 28, BLUE)
        for i, line in enumerate(lines):
            p.text(30, y + (18 if len(lines) == 1 else 12 + 13 * i), line, 11)
        p.arrow((460, y + 14), (490, y + 14))
        for i, line in enumerate(wrap(why, 250, 10)):
            p.text(496, y + 12 + 12 * i, line, 10, fill=GREY)
        y += 34
    p.label(20, y + 4, 440, 28, "the commit point", ORANGE, 13, bold=True)
    p.text(240, y + 52, "stores alone: nothing can fail", 11,
           anchor="middle", fill=GREY)
    p.arrow((10, 42), (10, y + 18), (20, y + 18))
    return p


# --- a request of a pager -----------------------------------------------------
def request():
    p = Picture(760, 400, "The life of a request to a pager")
    p.text(20, 24, "One request, and its one end", 14, bold=True)
    end = struct_box(p, 20, 44, 330, "mm/pageio.h", "pageio",
                     ["frame", "page", "write", "status", "due_ns", "cookie",
                      "taken"], ORANGE)
    p.block(20, end + 20, 330, "Its maker's memory: of a fault, or of a pass. "
            "It may be gone once it has ended.", 11, fill=GREY)
    p.label(400, 44, 150, 28, "pager_submit", BLUE, mono=True)
    p.text(560, 62, "a fault reads, a pass writes", 11, fill=GREY)
    p.arrow((475, 72), (475, 98))
    p.box(390, 98, 350, 78, PALE)
    p.text(400, 116, "on the list, under pager->lock", 11, fill=GREY)
    p.label(400, 128, 120, 28, "waiting", "white")
    p.arrow((520, 142), (610, 142))
    p.text(565, 136, "pager_next", 10, mono=True, anchor="middle")
    p.label(610, 128, 120, 28, "taken", GREEN)
    p.text(400, 170, "the program may answer what is taken", 10, fill=GREY)
    y = 206
    for letter, what in source.outcomes("mm/pager.c"):
        p.arrow((565, 176), (565, 190), (380, 190), (380, y + 17),
                (400, y + 17))
        p.label(400, y, 30, 34, letter, ORANGE, 13, bold=True)
        p.box(430, y, 310, 34, PALE)
        lines = wrap(what, 296, 10)
        for i, line in enumerate(lines):
            p.text(438, y + (21 if len(lines) == 1 else 14 + 13 * i), line, 10)
        y += 44
    p.label(400, y + 8, 340, 28, "whoever takes it off the list ends it",
            ORANGE, 12, bold=True)
    return p


FIGURES = {"frame-states": frame_states, "pte": pte, "walk": walk,
           "fault-trail": fault_trail, "page-out-trail": page_out_trail,
           "locks": locks, "shootdown": shootdown, "debt": debt,
           "batch": batch, "rmap": rmap, "madt": madt, "start-up": start_up,
           "ladder": ladder, "request": request}


def files():
    """{path: what it must hold}."""
    return {FOLDER / f"{name}.svg": str(draw())
            for name, draw in FIGURES.items()}
