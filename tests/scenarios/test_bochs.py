"""Bochs: a second machine, with x2APIC, which QEMU's TCG has not.

Its UART keeps a baud rate, its APIC is strict, and its TLB is another one.
"""

import json

import pexpect
from guest import ROOT, report


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


def test_timers(clean):
    """Among selftest's checks: a sleep ends on every CPU. Bochs insists
    that an APIC is on before an entry of its LVT can be unmasked."""
    result = clean("selftest", machine="bochs", cpus=2)
    assert result.text.endswith(" 0 failed\n"), report(result)


def test_litmus(clean):
    """A flush, which x2APIC's messages carry, takes stale entries away."""
    result = clean("litmus", "--json", "rounds=20", machine="bochs", cpus=4)
    rows = [json.loads(line) for line in result.text.splitlines()]
    cases = {row["case"]: row for row in rows if "case" in row}
    assert len(cases) == 4 and all(row["ok"] for row in cases.values())
    assert cases["dirty-flushed"]["faulted"] == 20, report(result)
    assert rows[-1] == {"shown": True}, "Bochs keeps stale entries"


def type_in(console, text):
    """Half a FIFO at a time: the line has no flow control, and while a
    record goes out on COM2 at its baud rate, CPU 0 takes no interrupt."""
    for at in range(0, len(text), 8):
        console.send(text[at:at + 8])
        console.expect_exact(text[at:at + 8])
    console.send("\r")


def test_console():
    """Bytes that come while others are being read are not forgotten."""
    console = pexpect.spawn(str(ROOT / "tools/weir"),
                            ["vm", "--machine", "bochs", "--cpus", "1"],
                            encoding="utf-8", timeout=60)
    console.expect("weir> ")
    text = "the quick brown fox jumps over the lazy dog"
    type_in(console, f"echo {text}")
    console.expect(rf"\s+{text}\s+weir> ")
    type_in(console, "poweroff 6")
    console.expect(pexpect.EOF)
    console.close()
    assert console.exitstatus == 6
