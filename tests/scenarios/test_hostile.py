"""Programs that do their worst: killed anywhere, or asking for anything."""

import random
import re

import pytest
from guest import BOOT_TIMEOUT, ROOT, report


@pytest.mark.parametrize("cpus", [1, 2])
def test_killed_at_every_system_call(clean, cpus):
    """P4: the partner is told, and not a frame, slot or task is left."""
    result = clean("killsweep", cpus=cpus)
    swept, client, server = map(int, re.search(
        r"(\d+) boundaries: the client's (\d+) calls, the server's (\d+)",
        result.text).groups())
    assert swept == 2 * (client + server), report(result)
    assert client >= 20 and server >= 20, report(result)
    assert result.text.endswith("killsweep: 0 failed\n")


@pytest.mark.parametrize("cpus, calls", [(1, 20000), (4, 200000)])
def test_any_call_with_any_argument(weir, cpus, calls):
    """P4, P6: only who makes them may suffer, and nothing is left."""
    seed = random.randrange(1, 1 << 32)
    result = weir("fuzz", f"seed={seed}", f"calls={calls}", cpus=cpus,
                  check="tlb,audit", timeout=2 * BOOT_TIMEOUT)
    assert result.status == 0, report(result)
    assert re.search(r"out of memory; 0 failed\n$", result.text), \
        report(result)


def pointers_and_addresses():
    """CALL.ARGUMENT of those, as syscalls.def has them."""
    text = (ROOT / "kernel/abi/syscalls.def").read_text()
    for name, arguments in re.findall(
            r"^SYSCALL\(\d+, (\w+), \w+, \w+,?([^)]*)\)", text, flags=re.M):
        words = [" ".join(word.split()) for word in arguments.split(",")]
        for kind, argument in zip(words[::2], words[1::2]):
            if kind.endswith("*") or argument in ("va", "ip", "sp"):
                yield f"{name}.{argument}"


@pytest.mark.parametrize("cpus", [1, 4])
def test_every_kind_of_bad_pointer(weir, cpus):
    """P3, P6: an error for who asked; what was unmapped is not written."""
    seed = random.randrange(1, 1 << 32)
    result = weir("pointers", f"seed={seed}", cpus=cpus,
                  check="tlb,audit", timeout=2 * BOOT_TIMEOUT)
    assert result.status == 0, report(result)
    said = re.findall(r"^pointers: (\w+\.\w+): (?:address|4[78] places, "
                      r"3 races)$", result.text, flags=re.M)
    assert said == list(pointers_and_addresses()), report(result)
    assert {"klog.text", "pager_done.buffer", "mem_map.va"} <= set(said)
    assert result.text.endswith(" checks, 0 failed\n")


@pytest.mark.parametrize("kind", [
    "fork", "handles", "threads", "faults", "swap", "clones", "maps",
    "pagers", "calls"])
def test_bombs(weir, kind):
    """P4, P6: told no, or killed; the shell and the others go on."""
    seed = random.randrange(1, 1 << 32)
    result = weir("bombs", f"seed={seed}", kind, cpus=2, mem=32, swap=16,
                  check="tlb,audit", timeout=2 * BOOT_TIMEOUT)
    assert result.status == 0, report(result)
    ends = re.findall(rf"{kind}: (\d+)\n19 19 75\n", result.text)
    assert len(ends) == result.text.count(" 0 lost\n") >= 2, report(result)
    assert set(ends) <= {"92" if kind == "fork" else "40", "97"}
    assert "starting another" not in result.console
    assert result.text.endswith(" checks, 0 failed\n")
