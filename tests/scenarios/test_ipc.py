"""IPC: what a round trip costs, any mix of it with kills, priorities."""

import json

import pytest
from guest import report

# Of `call`: a client's user mode to its server's and back, both tasks'
# address spaces loaded on the way (docs/ipc.md).
MOST_INSTRUCTIONS = 400


def instructions(result):
    lines = [json.loads(line) for line in result.text.splitlines()]
    return {line["kind"]: line["instructions_per_round_trip"]
            for line in lines}


def test_a_round_trip_is_short(clean):
    result = clean("ipcbench", "--json", cpus=1, accel="icount", check="")
    counted = instructions(result)
    assert 0 < counted["call"] <= MOST_INSTRUCTIONS, report(result)
    assert 0 < counted["threads"] <= MOST_INSTRUCTIONS, report(result)


def test_what_the_slow_path_costs_is_known(clean):
    counted = instructions(clean("ipcbench", "--json", cpus=2,
                                 accel="icount"))
    assert counted["handle"] > 0 and counted["cross"] > 0


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_any_mix_with_kills(clean, cpus):
    """P4: whoever is killed wherever it is, nothing leaks or hangs."""
    result = clean("ipcstress", "kills=150", f"seed={cpus}", cpus=cpus)
    assert result.text.endswith(" 0 failed\n")
    assert f"ipcstress seed={cpus} kills=150\n" in result.text


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_server_works_at_its_clients_priority(clean, cpus):
    """And gets its own back; between the two somebody spins."""
    assert clean("donation", cpus=cpus).text.endswith(" 0 failed\n")
