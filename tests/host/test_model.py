"""The protocol's model (tools/model) speaks of the code, and still runs."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from weirlib import model  # noqa: E402

MODEL = "\n".join(path.read_text()
                  for path in sorted((ROOT / "tools/model").glob("*.pml")))
MM = "\n".join(path.read_text() for path in sorted(
    [*(ROOT / "mm").glob("*.[ch]"), *(ROOT / "arch/x86_64").glob("*.h")]))


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def words(text):
    return set(re.findall(r"[A-Za-z_]\w*", without_comments(text)))


def source(name):
    return without_comments((ROOT / "mm" / name).read_text())


def functions(name, prefix=""):
    """Those that a file of mm/ defines."""
    return set(re.findall(rf"^[a-z][\w \*]*?\b({prefix}\w+)\([^;{{]*\)\n{{",
                          source(name), re.M))


def body(kind, name, file):
    match = re.search(rf"^{kind} {name} {{\n(.*?)^}}", source(file),
                      re.M | re.S)
    assert match, f"{kind} {name} is not in {file}"
    return match.group(1)


def fields(struct, file):
    return set(re.findall(r"(\w+)(?:\[[^]]*\])?(?: : \d+)?[;,]",
                          body("struct", struct, file)))


# What belongs to the protocol: by these lists, so that a new one is noticed.
PROTOCOL = (
    functions("tlb.c") | functions("tlb_switch.h") | functions("rmap.c")
    | functions("reclaim.c") | functions("fault.c", "fault_")
    | functions("map.c") | functions("limbo.c") | functions("limbo.h")
    | fields("tlb_batch", "tlb.h") | fields("tlb_policy", "tlb.h")
    | fields("tlb_cpu", "tlb_switch.h") | fields("tlb_request", "tlb_switch.h")
    | fields("frame", "frame.h")
    | {name for name in fields("aspace", "aspace.h")
       if name == "cpus" or name.startswith("tlb_")}
    | set(re.findall(r"FRAME_\w+", body("enum", "frame_state", "frame.h"))))

# Why a name of the protocol is not in the model.
NOT_MODELLED = {
    **dict.fromkeys(("FRAME_INACTIVE", "aged", "young", "rmap_age",
                     "pass_age"),
                    "which frames are old: a pass may isolate any"),
    **dict.fromkeys(("reclaim_usable", "limbo_frames"),
                    "how much there is: what waits, and no more, may be "
                    "wanted"),
    **dict.fromkeys(("FRAME_PINNED", "pinned", "FRAME_NSTATES"),
                    "a pinned frame takes no part"),
    **dict.fromkeys(("fault_copy", "copied", "rmap_unmap_member", "family",
                     "next_member"),
                    "there is one object, without clones, and it stays"),
    **dict.fromkeys(("slot", "pass_has_place", "rmap_system"),
                    "each page has a slot of its own, which is never full"),
    **dict.fromkeys(("add_region", "aspace_map", "protect_check",
                     "prot_valid", "range_valid", "split_at", "rmap_va"),
                    "the regions are there, a page each"),
    **dict.fromkeys(("aspace_clear_pte", "aspace_restrict"),
                    "a part of clear_region, protect_region"),
    **dict.fromkeys(("aspace_unmap", "aspace_protect", "change_range"),
                    "one process: aspace_unmap_protect"),
    "fault_try": "a part of aspace_fault",
    "fault_prepare": "there is a frame, once nothing waits; it needs no "
                     "zeroes",
    **dict.fromkeys(("pass_close", "pass_submit", "pass_io_done"),
                    "parts of pass_launder; of the device"),
    **dict.fromkeys(("pass_unmap_run", "relock"),
                    "a loop over a run, and its lock"),
    **dict.fromkeys(("leave_tables", "tlb_leave_tables"),
                    "no space dies"),
    **dict.fromkeys(("batch_note_space", "nspaces", "pages", "fence",
                     "npages"),
                    "bookkeeping: a batch has room for both spaces, a range "
                    "is a page"),
    "flushed_at_once": "there is more than one CPU",
    **dict.fromkeys(("tlb_switch", "tlb_switch_to", "tlb_switch_slowly"),
                    "tlb_switch_on"),
    **dict.fromkeys(("choose_tag", "tag", "tags", "taken", "tlb_load"),
                    "no tags: CR3's load empties the TLB"),
    **dict.fromkeys(("one_pass", "pass_get", "pass_put", "passes_init",
                     "reclaim_batch", "reclaim_set_batch", "reclaim_drain",
                     "tlb_init"),
                    "how passes are handed out, and start-up"),
    "reclaim_free": "frame_free: nobody keeps one",
    "assert_may_wait": "the model has no locks but in its steps",
    "pass_cancel_late": "there are no pagers",
    **dict.fromkeys(("arrival", "head", "listed", "lru", "named", "order",
                     "pieces", "poisoned", "ptes"),
                    "the allocator's, the lists' and the audit's"),
}
# Why the model has a name that the code does not have.
MODEL_ONLY = {
    **dict.fromkeys(("hardware", "fill", "fill_all", "store", "store_silently",
                     "store_to", "store_walking", "forget_copies", "device",
                     "transfer_in", "transfer_out", "irq_off"),
                    "what the hardware does by itself"),
    **dict.fromkeys(("monitor", "holds", "fresh"), "what is asserted"),
    **dict.fromkeys(("reclaimer", "aspace_unmap_protect", "begin"),
                    "who calls"),
    **dict.fromkeys(("run_on_cpu", "leave_cpu"), "the scheduler"),
    **dict.fromkeys(("all_at_once", "one_at_a_time", "unmap_item", "isolate",
                     "rmap_unmap_space", "switch_space", "acknowledge",
                     "batch_paid", "free_group", "lock_limbo"),
                    "a loop or a branch of the code, written out"),
    **dict.fromkeys(("forget_request", "renumber", "renumber_groups"),
                    "makes states equal that mean the same"),
    "store_meanwhile": "Z22",
}


def model_names():
    """Its inlines, processes and the fields of its types."""
    text = without_comments(MODEL)
    types = re.findall(r"typedef \w+ {(.*?)}", text, re.S)
    return (set(re.findall(r"^inline (\w+)", text, re.M))
            | set(re.findall(r"^(?:active )?proctype (\w+)", text, re.M))
            | set(re.findall(r"(\w+)(?:\[\w+\])?\s*(?:;|$)",
                             "\n".join(types), re.M)))


def test_what_the_protocol_has_is_in_the_model():
    assert PROTOCOL - words(MODEL) == set(NOT_MODELLED)


def test_what_the_model_has_is_in_the_code():
    assert model_names() - words(MM) == set(MODEL_ONLY)


def test_policies_are_those_of_the_code():
    """By name, and in each field."""
    rows = re.findall(r'{ (?:\.name = )?"([\w-]+)"([^}]*)}',
                      source("policy.c"))
    assert tuple(name for name, _ in rows) == model.POLICIES
    blocks = re.findall(r"POLICY == \d.*?(?=#el|#endif)|#else.*?#endif",
                        MODEL[MODEL.index("#if POLICY"):], re.S)
    for (name, row), block in zip(rows, blocks):
        for field in fields("tlb_policy", "tlb.h") - {"name"}:
            value = "true" if f".{field} = true" in row else "false"
            assert re.search(rf"#define {field}\s+{value}\b", block), name


def test_every_bug_is_planted_and_every_property_broken():
    planted = set(re.findall(r"PLANTED\((\w+)\)", MODEL)) - {"name"}
    assert planted == {name for name, *_ in model.BUGS}
    broken = {prop for *_, props in model.BUGS for prop in props}
    assert broken == set(model.PROPERTIES)
    for name, (number, _) in model.PROPERTIES.items():
        assert not number or f" {number}\n" in MODEL, name


def weir_model(*names):
    done = subprocess.run([ROOT / "tools/weir", "model", *names], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("policy", ["two-pass", "lazy"])
def test_a_small_part_holds(policy):
    lines = weir_model("--small", policy)
    assert len(lines) == len(model.PROPERTIES) + 1
    assert lines[-1] == f"{len(model.PROPERTIES)} properties hold, " \
        "0 planted bugs found"


@pytest.mark.parametrize("bug, last", [
    ("Z1", "loads from page 0"), ("I21", "shoot: serves its own part"),
    ("L2", "can still read page 0 in its")])
def test_a_bug_is_found_and_shown(bug, last):
    lines = weir_model(bug)
    assert lines[-1] == "0 properties hold, 1 planted bugs found"
    shown = (ROOT / "build/model" / f"{bug}.txt").read_text()
    steps = re.findall(r"^ *\d+ \|.*", shown, re.M)
    assert last in steps[-1]
    assert max(map(len, shown.splitlines())) <= 100
    if bug == "Z1":  # the worked example
        example = re.sub(r"^    ", "", (ROOT / "docs/model.md").read_text(),
                         flags=re.M)
        assert shown.split("\n\nZ1", 1)[1].split("\n", 1)[1].strip() in example


def test_a_bug_that_is_not_there_is_missed(monkeypatch, capsys):
    """The search does not say "found" by itself."""
    monkeypatch.setattr(model, "BUILD", ROOT / "build/model/none")
    assert not model.report_bug("NONE", "nothing", model.PASS, ("P2",))
    assert "MISSED" in capsys.readouterr().out
