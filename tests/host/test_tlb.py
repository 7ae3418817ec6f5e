"""mm/tlb.c, mm/policy.c and mm/rmap.c beside simulated hardware."""
import pytest

SOURCES = ["mm/tlb.c", "mm/policy.c"]


def test_debt(driver, seed):
    driver("tlb_test", SOURCES)(seed)


@pytest.mark.parametrize("bug", ["Z1", "Z5", "Z6", "Z35"])
def test_planted_bug_is_caught(driver, seed, bug):
    program = driver("tlb_test", SOURCES, flags=(f"-DMUTANT={bug}",))
    assert "CHECK failed" in program(seed, status=1)
