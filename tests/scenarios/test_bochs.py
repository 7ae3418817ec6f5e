"""Bochs: a second machine, with x2APIC and PCID, which QEMU's TCG has not.

Its UART keeps a baud rate, its APIC is strict, and its TLB is another one.
It checks how PCID is used, but empties its TLB at each load of CR3 all the
same: what tags keep is tested beside a simulated TLB (tests/host/test_tlb.py)
and judged by the oracle.
"""

import pexpect
import pytest
from guest import interactive, json_lines, report


def boot_words(result):
    record = next(p.decode() for kind, p in result.records if kind == "boot")
    return dict(word.split("=", 1) for word in record.split())


def test_x2apic(clean):
    """CPUs start and send each other messages, all by x2APIC. The
    arguments pass through the quotes of GRUB, the kernel and the shell."""
    words = ["hello", "it's", 'a "b"', "c\\d"]
    result = clean("echo", *words, machine="bochs", cpus=2)
    assert result.text == " ".join(words) + "\n"
    assert boot_words(result)["apic"] == "x2apic", report(result)
    assert boot_words(result)["cpus"] == "2"


def test_qemu_is_the_other_mode(clean):
    result = clean("echo", "hello", cpus=2)
    assert boot_words(result)["apic"] == "xapic"
    assert boot_words(result)["pcid"] == "none"


def test_timers(clean):
    """Among selftest's checks: a sleep ends on every CPU. Bochs insists
    that an APIC is on before an entry of its LVT can be unmasked."""
    result = clean("selftest", machine="bochs", cpus=2)
    assert result.text.endswith(" 0 failed\n"), report(result)


def check_tags(result, pcid, counters):
    """Each way to load a tag was gone, or no tags were used."""
    loads = [counters["tlb_tag_kept"], counters["tlb_tag_flushed"]]
    assert boot_words(result)["pcid"] == pcid
    assert all(loads) if pcid == "on" else not any(loads), report(result)


@pytest.mark.parametrize("pcid", ["on", "off"])
def test_litmus(clean, pcid):
    """A flush, which x2APIC's messages carry, takes stale entries away; and
    who was away when it was due catches up (I16)."""
    result = clean("sh", "-c", "litmus --json rounds=20; vmstat --json",
                   machine="bochs", cpus=4, words=[f"pcid={pcid}"])
    *rows, shown, counters = json_lines(result)
    cases = {row["case"]: row for row in rows}
    assert len(cases) == 6 and all(row["ok"] for row in cases.values())
    for case in "dirty-flushed", "away-flushed":
        assert cases[case]["faulted"] == 20, report(result)
    assert shown == {"shown": True}, "Bochs keeps stale entries"
    check_tags(result, pcid, counters)


@pytest.mark.parametrize("pcid", ["on", "off"])
def test_paging(clean, pcid):
    """P1 to P3 while tasks store, reclaim takes, and clones are made."""
    result = clean("sh", "-c", "lostwrite --json threads=4 seconds=1 "
                   "variant=procs && clones seconds=1 && vmstat --json",
                   machine="bochs", cpus=4, mem=40, swap=27,
                   words=[f"pcid={pcid}"])
    answer, counters = json_lines(result)
    assert answer["lost"] == 0 and answer["increments"] > 0
    assert counters["pswpout"] > 0, report(result)
    check_tags(result, pcid, counters)


def type_in(console, text):
    """Half a FIFO at a time: the line has no flow control, and while a
    record goes out on COM2 at its baud rate, CPU 0 takes no interrupt."""
    for at in range(0, len(text), 8):
        console.send(text[at:at + 8])
        console.expect_exact(text[at:at + 8])
    console.send("\r")


def test_console():
    """Bytes that come while others are being read are not forgotten."""
    console = interactive("--machine", "bochs", "--cpus", "1")
    text = "the quick brown fox jumps over the lazy dog"
    type_in(console, f"echo {text}")
    console.expect(rf"\s+{text}\s+weir> ")
    type_in(console, "poweroff 6")
    console.expect(pexpect.EOF)
    console.close()
    assert console.exitstatus == 6
