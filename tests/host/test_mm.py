"""mm/: frames, kernel heap, swap slots, ramdisk, regions."""
import signal

import pytest

# frame_test and kmalloc_test include mm/frame.c (frame_check.h).
FRAME = ["mm/frame_init.c", "mm/frame_state.c"]
KMALLOC = ["mm/kmalloc.c", *FRAME]
SWAP = ["mm/inject.c", "mm/swap.c", "mm/ramdisk.c", "mm/pageio.c", "mm/frame.c", *KMALLOC]


def test_frame(driver, seed):
    driver("frame_test", FRAME)(seed)


def test_frame_many_cpus(driver, seed):
    driver("frame_test", FRAME, "tsan")(seed, "cpus")


@pytest.mark.parametrize("sanitizer", ["asan", "tsan"])
def test_kmalloc(driver, seed, sanitizer):
    driver("kmalloc_test", KMALLOC, sanitizer)(seed)


def test_kmalloc_poison(driver, seed):
    driver("kmalloc_test", KMALLOC)(seed, "poison")


@pytest.mark.parametrize("sanitizer", ["asan", "tsan"])
def test_swap(driver, seed, sanitizer):
    driver("swap_test", SWAP, sanitizer)(seed)


def test_slot_sums_are_silent(driver, seed):
    driver("swap_test", SWAP)(seed, "right")


@pytest.mark.parametrize("how, found", [
    ("spoilt", "I17, Z28: frame"), ("reused", "I17, Z28: frame"),
    ("torn", "I9, Z29: frame")])
def test_slot_sums(driver, seed, how, found):
    """A slot's byte changed; a slot read before it was written; a page that
    changed while it was written out."""
    program = driver("swap_test", SWAP)
    assert found in program(seed, how, status=-signal.SIGABRT)


def test_region(driver, seed):
    driver("region_test", ["mm/region.c"])(seed)


def test_region_search(driver, seed):
    driver("region_test", ["mm/region.c"])(seed, "find")


def test_rmap(driver):
    driver("rmap_test", ["mm/rmap.c"])()


def test_audit(driver):
    """Each count that is made wrong is named."""
    driver("audit_test", ["mm/audit.c", "mm/memobj.c", "mm/account.c",
                          "mm/aspace.c", "mm/radix.c", "mm/lru.c", "mm/region.c",
                          *SWAP])()
