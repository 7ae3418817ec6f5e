"""The planted bugs (mm/planted.h) and the test that must catch each.

`make mutants` builds each, runs its test on the build without it (passes)
and with it (must fail). A host test gets the bug by WEIR_MUTANT.
"""

FENCES = "tests/scenarios/test_fences.py::"
DEBT = "tests/host/test_tlb.py::test_debt"

MUTANTS = [
    # (name, what is planted, test)
    ("Z1", "IO before flush",
     FENCES + "test_no_store_is_lost[two-pass-threads]"),
    ("Z2", "free before flush",
     FENCES + "test_no_page_shows_another_ones_bytes"),
    ("Z4", "a nested reclaim resets the batch",
     FENCES + "test_no_store_is_lost[two-pass-threads]"),
    ("Z5", "protect ignores an open batch", DEBT),
    ("Z6", "the debt is a boolean", DEBT),
    ("Z20", "a page is shared before the flush",
     "tests/scenarios/test_memory.py::test_clones[4]"),
    ("Z22", "read, then clear, instead of exchange",
     "tests/host/test_mm.py::test_rmap"),
    ("Z27", "a page on its way in is not waited for",
     FENCES + "test_a_page_is_read_once"),
    ("Z31", "a tag is loaded without a look at the generation", DEBT),
    ("Z35", "a flush that flushes nothing", FENCES + "test_litmus"),
]
