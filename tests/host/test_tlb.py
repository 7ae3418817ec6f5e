"""mm/tlb.c, mm/policy.c and mm/rmap.c beside simulated hardware."""
import signal

import pytest
from drivers import PLANT
from mutants import TESTS

SOURCES = TESTS["debt"].sources


def test_debt(driver, seed):
    driver("tlb_test", SOURCES)(seed)


def test_oracle_is_silent(driver, seed):
    driver("tlb_test", SOURCES)(seed, "oracle")


@pytest.mark.parametrize("bug", ["Z1", "Z5", "Z6", "Z31", "Z35"])
def test_oracle_sees_it_too(driver, seed, bug):
    """It needs no CPU that uses the old entry."""
    program = driver("tlb_test", SOURCES, flags=PLANT)
    assert "panic: P" in program(seed, "oracle", status=-signal.SIGABRT,
                                 plant=bug)
