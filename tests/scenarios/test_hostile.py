"""Programs that do their worst: killed anywhere, or asking for anything."""

import random
import re

import pytest
from guest import BOOT_TIMEOUT, report


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
    print(f"tools/weir vm --cpus {cpus} --set check=tlb,audit -- fuzz "
          f"seed={seed} calls={calls}")
    result = weir("fuzz", f"seed={seed}", f"calls={calls}", cpus=cpus,
                  check="tlb,audit", timeout=2 * BOOT_TIMEOUT)
    assert result.status == 0, report(result)
    assert re.search(r"out of memory; 0 failed\n$", result.text), \
        report(result)
