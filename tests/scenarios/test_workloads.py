"""wl and lostwrite: CPUs x policies x {threads, tasks}, all clean."""

import pytest
from guest import json_lines, report, vm
from weirlib import belady

PHASES = ["populate", "read-rand", "write-rand", "sweep"]
# The field names of the peer's wl.c, so that the two can be laid side by side.
WL_FIELDS = {"phase", "variant", "ncpu", "T", "W_mib", "ops", "elapsed_ns",
             "bad", "lost", "pgfault", "pgmajfault", "pswpin", "pswpout",
             "pgscan", "pgsteal"}
SMALL = dict(mem=56, swap=40)   # leaves half of what wl touches
SMALL_FRAMES = 12 * 256     # it has fewer for frames


def run_wl(clean, cpus, policy, variant, ops=2000, *more):
    result = clean("wl", "--json", f"T={cpus}", "W=32", f"variant={variant}",
                   f"ops={ops}", "seed=3", *more, cpus=cpus, tlb=policy,
                   **SMALL)
    phases = json_lines(result)
    assert [p["phase"] for p in phases] == PHASES, report(result)
    return phases


@pytest.mark.matrix
@pytest.mark.parametrize("variant", ["threads", "procs"])
@pytest.mark.parametrize("policy", vm.POLICIES)
@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_wl(clean, cpus, policy, variant):
    phases = run_wl(clean, cpus, policy, variant)
    for phase in phases:
        assert WL_FIELDS <= set(phase), sorted(WL_FIELDS - set(phase))
        assert (phase["bad"], phase["lost"]) == (0, 0), phase
        assert (phase["ncpu"], phase["T"]) == (cpus, cpus)
        assert phase["variant"] == variant
    assert sum(p["pswpout"] for p in phases) > 1000, "no memory pressure"


@pytest.mark.parametrize("variant", ["threads", "procs"])
def test_dirty_is_the_share_of_writes(clean, variant):
    """Pages that were only read are dropped, and no increment is missed."""
    out = {}
    for dirty in (0, 30, 100):
        phases = run_wl(clean, 2, "two-pass", variant, 8000,
                        f"dirty={dirty}")
        assert [(p["bad"], p["lost"]) for p in phases] == [(0, 0)] * 4
        assert {p["dirty"] for p in phases} == {dirty}
        out[dirty] = phases[PHASES.index("write-rand")]["pswpout"]
    assert 3 * out[0] < out[30] < out[100], out


@pytest.mark.matrix
@pytest.mark.parametrize("variant", ["threads", "procs"])
@pytest.mark.parametrize("policy", vm.POLICIES)
@pytest.mark.parametrize("cpus", [1, 2, 4, 8])
def test_lostwrite(clean, cpus, policy, variant):
    result = clean("lostwrite", "--json", f"threads={cpus}", "seconds=2",
                   f"variant={variant}", cpus=cpus, tlb=policy, **SMALL)
    (answer,) = json_lines(result)
    assert answer["lost"] == 0 and answer["increments"] > 0, answer
    assert answer["threads"] == cpus


@pytest.fixture
def one_cpu_kernel(iso):
    """The ISO of `make UP=1`, where a TLB debt costs nothing."""
    path = iso.parent / "up" / "weir.iso"
    assert path.is_file(), "`make UP=1` builds it"
    return path


@pytest.mark.parametrize("policy", vm.POLICIES)
def test_kernel_for_one_cpu(clean, one_cpu_kernel, policy):
    phases = json_lines(clean("wl", "--json", "W=32", "ops=4000", cpus=1,
                         tlb=policy, iso=one_cpu_kernel, **SMALL))
    assert [(p["bad"], p["lost"]) for p in phases] == [(0, 0)] * 4
    assert sum(p["pswpout"] for p in phases) > 1000, "no memory pressure"
    for counter in ("nr_tlb_remote_flush", "tlb_batch_pages",
                    "tlb_flush_before_io", "tlb_flush_before_free"):
        assert [p[counter] for p in phases] == [0] * 4, counter


def test_kernel_for_one_cpu_loses_no_write(clean, one_cpu_kernel):
    (answer,) = json_lines(clean("lostwrite", "--json", "seconds=2", cpus=1,
                            iso=one_cpu_kernel, **SMALL))
    assert answer["lost"] == 0 and answer["increments"] > 0, answer


def test_kernel_for_one_cpu_refuses_two(weir, one_cpu_kernel):
    result = weir("echo", "no", cpus=2, iso=one_cpu_kernel)
    assert result.status == vm.PANIC, report(result)
    assert "the machine has 2 CPUs, but at most 1 " in result.verdict


def test_two_pass_rounds_per_page_out(clean):
    """wl write-rand on 4 CPUs: at most 45 rounds per 1,000 pages out."""
    phases = run_wl(clean, 4, "two-pass", "threads", ops=8000)
    write = phases[PHASES.index("write-rand")]
    rounds = write["nr_tlb_remote_flush"]
    assert write["pswpout"] > 1000, write
    assert rounds * 1000 <= 45 * write["pswpout"], write


def test_traces(clean):
    """No fewer faults than Belady's optimum, and each of those timed."""
    ops, traces = 12000, ("loop:6000", "zipf:8000:8", "random:8000")
    found = [phase for trace in traces for phase in json_lines(clean(
        "wl", "--json", f"trace={trace}", f"ops={ops}", "seed=3", cpus=2,
        words=["readahead=0"], **SMALL))]
    assert [p["phase"] for p in found] == ["loop", "zipf", "random"]
    for trace, phase in zip(traces, found):
        least = belady.optimum(trace, 3, ops, SMALL_FRAMES)
        assert max(least, 500) < phase["pgmajfault"] <= 1.01 * ops, phase
        assert (phase["ops"], phase["bad"]) == (ops, 0), phase
    timed = found[-1]
    assert 0.95 * timed["pgmajfault"] <= timed["samples"], timed
    assert 0 < timed["p50_ns"] <= timed["p99_ns"], timed


def test_a_new_working_set_gets_in(clean):
    """Each half of the pages fits, and is gone round eight times: about one
    time in eight is missed, and who kept the old half would miss all."""
    half = SMALL_FRAMES * 9 // 20
    trace, ops = f"turns:{2 * half}", 4 * 8 * half
    (found,) = json_lines(clean("wl", "--json", f"trace={trace}",
                                f"ops={ops}", "seed=1", cpus=1,
                                words=["readahead=0"], **SMALL))
    least = belady.optimum(trace, 1, ops, SMALL_FRAMES)
    assert least <= found["pgmajfault"] < ops // 4, (least, found)


def test_a_page_that_many_map_is_reclaimed(clean):
    result = clean("mapped", "--json", "tasks=20", "pages=128", cpus=2,
                   mem=56, swap=24)
    (found,) = json_lines(result)
    assert 32 <= found["unmapped"] <= found["pgsteal"], report(result)
