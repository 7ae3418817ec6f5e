"""Swap on a program: a disk behind the block server, and worse ones."""

import json

import pytest
from guest import report, vm

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "swap.img"
    path.write_bytes(bytes(48 * MIB))
    return path


@pytest.mark.parametrize("policy", vm.POLICIES)
def test_no_store_is_lost_on_a_disk(clean, disk, policy):
    """P1, P2 with a server in user space on the way of every page."""
    result = clean("lostwrite", "--json", "threads=4", "seconds=3",
                   "variant=threads", cpus=4, mem=64, swap=24, tlb=policy,
                   disks=[f"{disk},serial=swap"], words=["swap=virtio"])
    answer = json.loads(result.text)
    assert answer["lost"] == 0 and answer["increments"] > 0, report(result)
    assert "blk: 48 MiB of swap" in result.console
    used = sum(any(page) for page in pages(disk))
    assert used > 500, used


def pages(path):
    data = path.read_bytes()
    return (data[i:i + 4096] for i in range(0, len(data), 4096))


def test_swap_needs_a_disk_of_that_name(clean, disk):
    # Who asks the server is answered once it has looked.
    result = clean("disks", cpus=2, disks=[str(disk)], words=["swap=virtio"])
    assert ('blk: swap=virtio, but no disk that can be written has the serial '
            '"swap": swap stays on the ramdisk') in result.console


def test_a_disk_is_swap_only_when_asked(clean, disk):
    """And then nobody else may have it."""
    for words, text in [([], "not a tar archive"),
                        (["swap=virtio"], "busy")]:
        result = clean("sh", "-c", "mount swap /m; true", cpus=2, words=words,
                       disks=[f"{disk},serial=swap"])
        assert text in result.text, report(result)


@pytest.mark.parametrize("how", ["good", "late", "fail", "die"])
def test_swap_server(clean, how):
    """Who is late, fails or dies costs those whose pages it has, at most."""
    result = clean("swapserver", how, cpus=4, mem=64, swap=32,
                   words=["swap=virtio"])
    assert result.text.splitlines()[-1].startswith(f"swapserver: {how}: ")
    late = "pager: page" in result.console
    assert late == (how == "late"), report(result)


def test_the_block_server_dies_under_the_swap(weir, disk):
    """The system goes on, on the ramdisk; the pages it had are gone."""
    result = weir("sh", "-c", "wl T=2 W=18 ops=2000 >/dev/null & "
                  "service kill blk; wait; echo over; "
                  "lostwrite --json seconds=1", cpus=4, mem=64, swap=40,
                  disks=[f"{disk},serial=swap"], words=["swap=virtio"])
    assert result.status == 0, report(result)
    answer = json.loads(result.text.splitlines()[-1])
    assert answer["lost"] == 0, report(result)
