"""Other machines: CPU models, firmware, 1 to 64 CPUs, 48 MiB to 8 GiB.

On each the TLB is what the kernel takes it for, and no store is lost.
`make machines` runs whole files of scenarios on some of them.
"""

import json

import pytest
from guest import report

MODELS = ["Conroe", "Haswell-noTSX", "EPYC", "Icelake-Server"]
BOCHS = ["core2_penryn_t9600", "corei7_skylake_x", "ryzen",
         "corei7_sandy_bridge_2600k"]   # the last: PCID without INVPCID
KEPT = "litmus --json rounds=20 && lostwrite --json threads=4 seconds=2"


def check(result):
    """Each scene of the litmus as it must be, and nothing lost."""
    rows = [json.loads(line) for line in result.text.splitlines()]
    scenes = [row["ok"] for row in rows if "case" in row]
    lost = [row["lost"] for row in rows if "lost" in row]
    assert scenes == [True] * 6 and lost == [0], report(result)
    assert {"shown": True} in rows, "no stale entry was seen at all"


@pytest.mark.parametrize("model", MODELS)
def test_cpu_models(clean, model):
    check(clean("sh", "-c", KEPT, cpus=4, mem=48, cpu_model=model))


@pytest.mark.parametrize("model", BOCHS)
def test_bochs(clean, model):
    """Another emulator, whose TLB and APICs were written by others."""
    check(clean("sh", "-c", KEPT, cpus=2, mem=48, swap=24, machine="bochs",
                cpu_model=model))


@pytest.mark.uefi
def test_uefi(clean):
    check(clean("sh", "-c", KEPT, cpus=2, mem=48, firmware="uefi"))


@pytest.mark.parametrize("cpus", [2, 3, 8, 64])
def test_numbers_of_cpus(clean, cpus):
    check(clean("sh", "-c", KEPT, cpus=cpus, mem=64))


@pytest.mark.parametrize("mem", [48, 1024, 8192])
def test_sizes_of_memory(clean, mem):
    """The whole machine, so that the last frame is beyond 4 GiB, too."""
    few = KEPT.replace("lostwrite", "lostwrite W=24")
    check(clean("sh", "-c", KEPT if mem == 48 else few, cpus=2, mem=mem,
                ram=mem))
