"""The fewest faults that any choice of pages to evict could have had.

pages() is user/bench/trace.h again: the same pages for the same trace and
seed. faults() is Belady's optimum: evict what is needed last. Both systems
write all pages in order before the trace begins, so that is played, too, but
its first touches are no major faults and not counted.
"""

import heapq
from bisect import bisect_right
from itertools import accumulate, chain, count, islice
from math import isqrt

WORD = (1 << 64) - 1
SCALE = 20              # bits


def mix(x):
    x = x + 0x9e3779b97f4a7c15 & WORD
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & WORD
    x = (x ^ x >> 27) * 0x94d049bb133111eb & WORD
    return x ^ x >> 31


def randoms(seed):
    """64 bits each, for ever."""
    s = mix(seed) | 1
    while True:
        s ^= s >> 12
        s ^= s << 25 & WORD
        s ^= s >> 27
        yield s * 0x2545f4914f6cdd1d & WORD


def weight(k, eighths):
    if eighths == 8:
        return (1 << 2 * SCALE) // k
    root = isqrt(k << 2 * SCALE)
    for _ in range(2):
        root = isqrt(root << SCALE)
    return (root << SCALE) // k


def zipf(n, eighths, seed):
    sums = list(accumulate(weight(k, eighths) for k in range(1, n + 1)))
    return (bisect_right(sums, x % sums[-1]) * 2654435761 % n
            for x in randoms(seed))


def pages(trace, seed, ops):
    """A list of `ops` page numbers of a trace as `wl` is given it."""
    kind, *numbers = trace.split(":")
    n = int(numbers[0])
    if kind == "zipf":
        found = zipf(n, int(numbers[1]), seed)
    elif kind == "random":
        found = ((x >> 16) % n for x in randoms(seed))
    elif kind == "turns":
        half = (n + 1) // 2
        found = (i // (8 * half) % 2 * (n - half) + i % half
                 for i in count())
    else:
        found = (i % n for i in count())
    return list(islice(found, ops))


def faults(sequence, frames, before=()):
    """The least number of misses in `sequence` with as many frames, which
    hold what the choice left there of the pages `before`, touched in order.
    """
    whole = list(chain(before, sequence))
    after, seen = [0] * len(whole), {}
    for i in reversed(range(len(whole))):   # when each is touched again
        after[i] = seen.get(whole[i], len(whole))
        seen[whole[i]] = i
    held, heap, missed = {}, [], 0          # page: when it is needed
    for i, page in enumerate(whole):
        if page not in held:
            missed += i >= len(whole) - len(sequence)
            if len(held) == frames:
                del held[evicted(heap, held)]
        held[page] = after[i]
        heapq.heappush(heap, (-after[i], page))
    return missed


def evicted(heap, held):
    """The page needed last; the heap has old entries of pages, too."""
    while True:
        when, page = heapq.heappop(heap)
        if held.get(page) == -when:
            return page


def optimum(trace, seed, ops, frames):
    """Major faults of a run of `wl`."""
    n = int(trace.split(":")[1])
    return faults(pages(trace, seed, ops), frames, range(n))
