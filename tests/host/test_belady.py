"""Belady's optimum, and the traces that it is computed for."""
import random
from collections import Counter

import pytest
from weirlib import belady

TRACES = ("loop:7", "turns:1", "turns:7", "turns:610", "random:12289", "zipf:16384:7", "zipf:16384:8",
          "zipf:1048576:7", "zipf:1:8")


@pytest.fixture
def in_c(driver):
    """in_c(trace, seed, ops): what user/bench/trace.h says."""
    run = driver("trace", [], shim=False)
    return lambda trace, seed, ops: [
        int(line) for line in run(trace, seed, ops).split()]


@pytest.mark.parametrize("trace", TRACES)
def test_both_languages_have_the_same_pages(in_c, trace, seed):
    assert belady.pages(trace, seed, 5000) == in_c(trace, seed, 5000)


@pytest.mark.parametrize("bad", ["", "scan:5", "loop:", "loop:0", "zipf:9",
                                 "zipf:9:6", "loop:1048577"])
def test_what_is_no_trace(driver, bad):
    driver("trace", [], shim=False)(bad, 1, 1, status=2)


@pytest.mark.parametrize("eighths", [7, 8])
def test_zipf_is_zipf(eighths):
    """The k-th most wanted page is touched k^theta times less often."""
    n, ops = 1000, 200_000
    found = Counter(belady.pages(f"zipf:{n}:{eighths}", 5, ops))
    page = [k * 2654435761 % n for k in range(n)]
    assert len(set(page)) == n
    total = sum(k ** (-eighths / 8) for k in range(1, n + 1))
    for k in (1, 2, 8, 64):
        expected = ops * k ** (-eighths / 8) / total
        assert abs(found[page[k - 1]] - expected) < 5 * expected ** 0.5


@pytest.mark.parametrize("sequence, frames, missed", [
    ([], 3, 0),
    ([1, 1, 1], 1, 1),
    ([1, 2, 1, 2], 1, 4),
    ([1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], 3, 7),   # Belady's own
    ([1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], 4, 6),
    ([0, 1, 2] * 4, 2, 7),                          # LRU has 12
    ([0, 1, 2] * 4, 3, 3)])
def test_by_hand(sequence, frames, missed):
    assert belady.faults(sequence, frames) == missed


def brute(sequence, frames, counted):
    """The fewest misses at or after `counted`, of all that may be evicted."""
    states = {frozenset(): 0}
    for i, page in enumerate(sequence):
        after = {}
        for held, missed in states.items():
            if page in held:
                choices, cost = [held], missed
            else:
                cost = missed + (i >= counted)
                choices = [held | {page}] if len(held) < frames else \
                    [held - {out} | {page} for out in held]
            for choice in choices:
                after[choice] = min(cost, after.get(choice, cost))
        states = after
    return min(states.values())


def test_nothing_is_better(seed):
    draw = random.Random(seed)
    for _ in range(300):
        n, frames = draw.randint(1, 6), draw.randint(1, 4)
        sequence = [draw.randrange(n) for _ in range(draw.randint(0, 14))]
        assert belady.faults(sequence, frames, range(n)) == \
            brute([*range(n), *sequence], frames, n), (sequence, frames)


def test_a_loop_keeps_what_fits():
    """After the first pass each pass misses what has no frame, and one."""
    n, frames, passes = 120, 100, 10
    missed = belady.optimum(f"loop:{n}", 1, passes * n, frames)
    assert passes * (n - frames) <= missed <= passes * (n - frames + 1)
