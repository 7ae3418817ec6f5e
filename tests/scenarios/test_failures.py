"""Panics, a failing swap device, exhausted memory, tasks that are killed."""

import random
import re

from guest import report
from guest import vm

TIGHT = dict(mem=40, swap=27)
SENTENCE = "a test asked for this panic"    # WEIR_TEST_SENTENCE
REGISTERS = ["rip", "cs", "flags", "rsp", "rax", "rbx", "rcx", "rdx", "rsi",
             "rdi", "rbp"] + [f"r{n}" for n in range(8, 16)]


def registers(text):
    """The names of the registers that `text` shows values of."""
    return re.findall(r"(?<!\S)([a-z]\w+) +[0-9a-f]+(?!\S)", text)


def functions(text):
    return re.findall(r"^    [0-9a-f]{16} (\w+)\+0x[0-9a-f]+$", text,
                      flags=re.M)


def test_panic(weir):
    """What was violated, registers of all CPUs, functions of the guilty."""
    result = weir("crash", "panic", cpus=4)
    assert result.status == vm.PANIC, report(result)
    assert result.verdict == f"The kernel panicked: {SENTENCE}."
    head, *cpus = re.split(r"^cpu (?=\d)", result.console, flags=re.M)
    assert head.endswith(f"*** {SENTENCE}\n"), report(result)
    assert sorted(int(text.split(":")[0].split(",")[0]) for text in cpus) \
        == [0, 1, 2, 3]
    for text in cpus:
        dump = text.split("\n    ")[0]
        assert registers(dump) == REGISTERS, report(result)
        # A program's functions are not the kernel's to name.
        assert functions(text) or " cs 23 " in dump, report(result)
    assert "which panicked" in cpus[0]
    assert functions(cpus[0])[0] == "mm_test_op"
    assert functions(cpus[0])[-1] == "syscall_dispatch"
    assert "-- trap 256, from user mode" in cpus[0]
    (record,) = [p.decode() for kind, p in result.records if kind == "panic"]
    assert record.split("\n")[0] == SENTENCE
    assert registers(record.split("\n    ")[0]) == REGISTERS
    assert functions(record) == functions(cpus[0])


def test_a_lock_out_of_order_is_a_panic(weir):
    """It names the locks and the CPU; nobody needs to meet anybody."""
    result = weir("crash", "locks", cpus=1)
    assert result.status == vm.PANIC, report(result)
    assert result.verdict == ("The kernel panicked: lock order: cpu 0 takes "
                              "the lock 'family' while it holds 'aspace'.")
    (record,) = [p.decode() for kind, p in result.records if kind == "panic"]
    assert "mm_test_op" in functions(record)


def test_swap_device_fails(clean):
    """P6: no byte is lost; one task is told, and nobody else."""
    result = clean("swapfail", cpus=2)
    lines = result.text.splitlines()
    assert lines[0] == "crash: killed: memory and swap are exhausted"
    assert re.fullmatch(
        r"swapfail: killed: the page's pager or the swap device failed "
        r"\(address 0x600000064000, "
        r"instruction 0x\w+, error 0x4, thread \d+\)", lines[1])
    assert lines[2:] == ["swapfail: 0 failed"]


def test_who_takes_all_memory_pays(clean):
    """P6: its parent, most of it on the swap device, has lost no byte."""
    result = clean("exhaust", "rounds=3", cpus=4, **TIGHT)
    lines = result.text.splitlines()
    assert lines[0::2] == ["crash: killed: memory and swap are exhausted"] * 3
    assert [re.sub(r"\d+ pages", "N pages", line) for line in lines[1::2]] \
        == [f"exhaust: round {n}: N pages, 0 wrong" for n in (1, 2, 3)]
    killed = re.findall(r"^task \d+ \((\w+)\): out of memory and swap at ",
                        result.console, flags=re.M)
    assert killed == ["crash"] * 3


def test_a_task_without_memory_has_status_97(weir):
    result = weir("crash", "memory", cpus=4, **TIGHT)
    assert result.status == 97, report(result)
    assert result.text == "crash: killed: memory and swap are exhausted\n"


def test_killed_during_io(weir):
    """P4: not a frame, not a slot is left behind."""
    seed = random.randrange(1, 1 << 32)
    result = weir("killio", f"seed={seed}", cpus=4, words=["delay=1000"],
                  **TIGHT)
    assert result.status == 0, report(result)
    pages_out, pages_in = map(int, re.search(
        r"(\d+) pages out, (\d+) in", result.text).groups())
    assert pages_out > 1000 and pages_in > 100, "no memory pressure"
