"""What reclaim owes the TLBs: litmus, rounds per page, no lost store."""

import pytest
from guest import json_lines, report

TIGHT = dict(cpus=4, mem=40, swap=27)


def test_litmus(clean):
    """Stale dirty entries store silently, clean ones fault; flush ends it."""
    result = clean("litmus", "--json", cpus=2)
    assert json_lines(result), report(result)


def test_flush_rounds_per_page(clean):
    """N dirty pages cost N rounds, or N/24, as each policy promises."""
    result = clean("flushcount", "--json", cpus=4)
    assert json_lines(result), report(result)


@pytest.mark.parametrize("variant", ["threads", "procs"])
@pytest.mark.parametrize("policy", ["batch-clean", "two-pass", "lazy"])
def test_no_store_is_lost(clean, policy, variant):
    """P1, P2: stores race with reclaim on every CPU, IO takes its time."""
    result = clean("lostwrite", "--json", "threads=4", "seconds=8",
                   f"variant={variant}", tlb=policy,
                   words=["delay=300", "seed=5"], **TIGHT)
    (answer,) = json_lines(result)
    assert answer["lost"] == 0 and answer["increments"] > 0


@pytest.mark.parametrize("policy", ["batch-dirty", "two-pass", "lazy"])
def test_no_store_is_lost_where_windows_are_wide(clean, policy):
    """P1, P2: the same with each point of the protocol slowed at random."""
    result = clean("lostwrite", "--json", "threads=4", "seconds=2",
                   tlb=policy, words=["delay=7:all"], **TIGHT)
    (answer,) = json_lines(result)
    assert answer["lost"] == 0 and answer["increments"] > 0


def test_the_first_store_to_a_clean_page_is_kept(clean):
    """I1: D is set while reclaim takes the PTE; the exchange sees it."""
    result = clean("dirtyrace", "--json", cpus=2)
    (answer,) = json_lines(result)
    assert answer["lost"] == 0 and answer["rounds"] > 0


def test_every_page_keeps_its_pattern(clean):
    """P1 again, by contents: wl verifies the pattern of all it reads."""
    result = clean("wl", "--json", "T=4", "W=20", "ops=6000", "seed=9",
                   "variant=threads", words=["delay=300"], **TIGHT)
    assert [(p["bad"], p["lost"]) for p in json_lines(result)] == [(0, 0)] * 4


def test_a_page_is_read_once(clean):
    """Swap-in is single-flight, however many threads fault on the page."""
    result = clean("singleflight", "--json", cpus=2)
    assert json_lines(result)[0]["ok"], report(result)


@pytest.mark.parametrize("cpus, words", [(1, []), (4, ["delay=300"]),
                                         (2, ["delay=7:all"])])
def test_pages_are_read_ahead_in_order_only(clean, cpus, words):
    """What a fault brings with its page is what was written there."""
    result = clean("ahead", cpus=cpus, words=words)
    assert len(result.text.splitlines()) == 6, report(result)


def test_ranged_and_full_flushes_are_compared(clean):
    """For `make bench`; with the oracle on, so every flush is judged."""
    for line in json_lines(clean("ranged", "--json", "rounds=3", cpus=2)):
        assert line["one_by_one_ns"] > 0 and line["all_ns"] > 0


def test_no_page_shows_another_ones_bytes(clean):
    """P1: a frame is freed after the flush, so no stale entry reads it."""
    result = clean("staleread", "--json", cpus=4)
    assert json_lines(result)[0]["wrong"] == 0, report(result)


def test_every_window(clean):
    """What must not matter between two steps of the kernel does not."""
    result = clean("window", cpus=6)
    assert result.text.endswith(" 0 failed\n"), report(result)
