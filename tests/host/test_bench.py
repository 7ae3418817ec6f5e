"""`make bench`: its plan, rows, report, and the Linux that it compares with.

Programs read build/bench.json. Nothing is booted here: what the workload
prints is given.
"""
import dataclasses
import gzip
import json
import lzma
import re
import types

import pytest
from weirlib import (bench, bench_plan, bench_plot, bench_report, bench_rows,
                     peer, vm)

KEYS = {"system", "policy", "cpus", "workload", "variant", "dirty_fraction",
        "metric", "value", "unit"}
HOST = bench_rows.Host(0.5, 3.0, 0.02)
FACTS = {"versions": "Weir 1; Linux 2", "parameters": "W=48"}


def phase(name, dirty=100, **other):
    """An object as `wl --json` prints it, of the keys that are used."""
    return {"phase": name, "dirty": dirty, "ops": 2000, "bad": 0, "lost": 0,
            "T": 4, "samples": 500, "p50_ns": 900, "p99_ns": 8000,
            "elapsed_ns": 4_000_000, "fastest_ns": 2_000_000,
            "slowest_ns": 3_000_000, "pswpin": 1500, "pswpout": 500,
            "pgsteal_kswapd": 700, "pgsteal_direct": 300, "pgmajfault": 1500,
            "nr_tlb_remote_flush": 10, "nr_tlb_remote_flush_received": 30,
            "irq_tlb": None, **other}


def linux_phase(name, dirty=100, **other):
    return phase(name, dirty, **{
        "elapsed_ns": 8_000_000, "nr_tlb_remote_flush": None,
        "nr_tlb_remote_flush_received": None, "irq_tlb": 600, **other})


def boot(system="weir", policy="two-pass", cpus=4, accel="tcg", pair=1,
         runs=(100,), variant="threads"):
    return bench_rows.Boot(system, policy, cpus, variant, accel, runs, pair,
                           bench_plan.FREE)


def figures(found, **where):
    """{metric: value} of the rows that `where` selects."""
    return {r["metric"]: r["value"]
            for r in bench_report.select(found, **where)}


def rows_of(*boots):
    """Rows of (Boot, phases) pairs."""
    found = []
    for b, phases in boots:
        found += bench_rows.samples(b, phases, 32.0, HOST)
    return bench_rows.rows(found, FACTS)


def phases_of(b):
    """What a boot prints; a long one is 1,000 times as long."""
    make = phase if b.system == "weir" else linux_phase
    if b.variant == "one":
        return [make(bench_plan.TRACES[run][0]) for run in b.runs]
    if b.variant == "flush":
        return [{"phase": f"read-{work}", "pages": 1 << i, "dirty": None,
                 "bad": 0, "lost": 0, "one_by_one_ns": 100 << i,
                 "all_ns": 1000} for work in b.runs for i in range(10)]
    if b.variant.startswith("tasks-"):
        return [make("mapped", 0, unmapped=100 * n) for n in b.runs]
    more = {"elapsed_ns": 4 * 10**9} if b.variant == "long" else {}
    return [make(name, dirty, **more) for dirty in b.runs
            for name in bench_report.WORKLOADS]


@pytest.fixture(scope="module")
def whole():
    """The rows of a whole run."""
    found = []
    for b in bench_plan.plan(bench.Size()):
        found += bench.figures(b, phases_of(b), 32.0, HOST)
    return bench_rows.rows(found, FACTS)


# ---- rows ------------------------------------------------------------------
def test_figures_of_a_phase():
    found = rows_of((boot(), [phase("write-rand")]))
    assert figures(found, workload="write-rand") == {
        "us_per_page": 2, "us_per_op": 2,
        "major_faults_per_1000_ops": 750,
        "rounds_per_1000_out": 20, "rounds_per_1000_reclaimed": 10,
        "ipis_per_1000_out": 60, "ipis_per_1000_reclaimed": 30}
    assert figures(found, workload="boot") == {"free_mib": 32}


def test_what_linux_does_not_count_has_no_row():
    found = rows_of((boot("linux", "stock"), [linux_phase("write-rand")]))
    names = figures(found, workload="write-rand")
    assert names["ipis_per_1000_out"] == 1200
    assert not [n for n in names if n.startswith("rounds")]


def test_icount_gives_instructions_alone():
    found = rows_of((boot(cpus=1, accel="icount"), [phase("write-rand")]))
    instructions = 4_000_000 / 2 ** vm.ICOUNT_SHIFT
    assert figures(found) == {"instructions_per_page": instructions / 2000,
                              "instructions_per_op": instructions / 2000}


def test_a_short_phase_is_neither_fair_nor_unfair():
    """It is over before all CPUs have had their turn of QEMU."""
    for ns, known in ((3_999_999_999, False), (4_000_000_000, True)):
        found = figures(rows_of((boot(), [phase("sweep", elapsed_ns=ns)])))
        assert ("slowest_by_fastest" in found) == known
    assert found["slowest_by_fastest"] == 1.5


def test_a_trace_has_faults_and_what_they_took():
    found = rows_of((boot(variant="one"), [phase("loop-1.1")]))
    assert figures(found, workload="loop-1.1", dirty_fraction=0) == {
        "us_per_page": 2, "us_per_op": 2, "major_faults_per_million": 750_000,
        "fault_ns_median": 900, "fault_ns_p99": 8000}
    found = rows_of((boot(variant="one"), [phase("scan", samples=99)]))
    assert "fault_ns_p99" not in figures(found)


def test_the_optimum_is_of_the_same_trace_and_frames():
    b = boot(variant="one", runs=("scan", "random"), pair=2)
    found = bench.figures(b, [phase("loop", ops=24576), phase("random")],
                          32.0, HOST)
    (best,) = bench_report.select(bench_rows.rows(found, FACTS),
                                  system="optimum")
    # Two passes over 12,288 pages with 8,192 frames: in each a third misses.
    assert best["value"] == pytest.approx(1e6 / 3, rel=0.001)
    assert (best["workload"], best["policy"]) == ("scan", "belady")


def test_growth_is_by_one_cpu_of_the_same_pair():
    def counted(cpus, pair, ns):
        return (boot(cpus=cpus, pair=pair, accel="icount"),
                [phase("write-rand", elapsed_ns=ns)])

    found = rows_of(counted(1, 1, 10**6), counted(8, 1, 2 * 10**6),
                    counted(1, 2, 10**6), counted(8, 2, 10**6),
                    counted(8, 3, 10**6))
    (growth,) = bench_report.select(
        found, metric="growth_instructions_per_page")
    assert (growth["cpus"], growth["value"], growth["pairs"]) == (8, 1.5, 2)


def test_sharers():
    b = boot(variant="tasks-10", cpus=1, accel="icount", runs=(10,))
    found = rows_of((b, [phase("mapped", 0, unmapped=100)]))
    assert figures(found) == {"instructions_per_page":
                              4_000_000 / 2 ** vm.ICOUNT_SHIFT / 100}


def test_few_pages_have_no_rate():
    found = rows_of((boot(), [phase("write-rand", pswpout=99)]))
    names = figures(found, workload="write-rand")
    assert "ipis_per_1000_out" not in names
    assert "ipis_per_1000_reclaimed" in names


def test_only_write_rand_has_a_curve():
    b = boot(runs=(0, 50, 100))
    found = bench_report.select(rows_of((b, phases_of(b))),
                                metric="us_per_page")
    assert sorted((r["workload"], r["dirty_fraction"], r["pairs"])
                  for r in found) == [
        ("populate", 100, 1), ("read-rand", 0, 1), ("sweep", 0, 1),
        ("write-rand", 0, 1), ("write-rand", 50, 1), ("write-rand", 100, 1)]


def test_medians_and_ratios_within_pairs():
    """The ratio's median is of the pairs, not a ratio of two medians."""
    boots = []
    for pair, (ours, theirs) in enumerate([(2, 8), (6, 6), (4, 40)], 1):
        boots += [
            (boot(pair=pair), [phase("sweep", elapsed_ns=ours * 10**6)]),
            (boot("linux", "stock", pair=pair),
             [linux_phase("sweep", elapsed_ns=theirs * 10**6)])]
    found = rows_of(*boots)
    (ours,) = bench_report.select(found, system="weir", metric="us_per_page")
    assert [ours[k] for k in ("value", "min", "max", "pairs")] == [2, 1, 3, 3]
    (ratio,) = bench_report.select(found, metric="ratio_us_per_page")
    assert [ratio[k] for k in ("value", "min", "max", "pairs")] == \
        [0.25, 0.1, 1, 3]
    assert (ratio["system"], ratio["policy"]) == ("weir", "two-pass")


def test_no_ratio_to_nothing():
    """Neither where Linux has 0, nor to another pair or machine."""
    found = rows_of(
        (boot(), [phase("sweep")]),
        (boot("linux", "stock"), [linux_phase("sweep", irq_tlb=0)]),
        (boot(pair=2), [phase("sweep")]),
        (boot(cpus=8), [phase("sweep")]))
    ratios = [r for r in found if r["metric"].startswith("ratio_")]
    assert {r["metric"] for r in ratios} == {
        "ratio_us_per_page", "ratio_us_per_op",
        "ratio_major_faults_per_1000_ops"}
    assert {(r["cpus"], r["pairs"]) for r in ratios} == {(4, 1)}


def test_rows_are_what_programs_read(whole):
    again = json.loads(json.dumps(whole))
    assert again == whole
    for r in whole:
        assert KEYS <= set(r) and r["schema"] == bench_rows.SCHEMA
        assert r["min"] <= r["value"] <= r["max"], r
        assert r["host_load"] == 0.5 and r["qemu_cpu_seconds"] == 3
    keys = [tuple(r[k] for k in bench_rows.KEYS) for r in whole]
    assert len(set(keys)) == len(keys)


# ---- the plan --------------------------------------------------------------
@pytest.mark.parametrize("size", [bench.Size(), bench.QUICK])
def test_boots_alternate_and_each_has_its_linux(size):
    boots = bench_plan.plan(size)
    assert len(boots) == len(set(boots))
    assert [b.pair for b in boots] == sorted(b.pair for b in boots)
    assert boots[-1].pair == size.pairs
    groups = {}
    for b in boots:
        key = (b.pair, b.cpus, b.variant, b.accel)
        groups.setdefault(key, []).append(b.system)
    for (_, cpus, variant, accel), systems in groups.items():
        alone = variant == "flush" or \
            accel == "icount" and (cpus > 1 or variant != "threads")
        assert systems.count("linux") == (not alone)
        assert alone or systems[-1] == "linux"
    assert {b.policy for b in boots} == {*vm.POLICIES, "stock"}
    assert all(b.runs[-1] == 100 for b in boots if b.variant.partition("-")[0]
               not in ("one", "tasks", "flush"))


def test_quick_leaves_the_large_out():
    quick, whole = (bench_plan.plan(s) for s in (bench.QUICK, bench.Size()))
    assert max(b.cpus for b in quick) == bench_plan.CPUS
    assert {b.free for b in quick} == {bench_plan.FREE}
    assert {(b.cpus, b.free) for b in whole} >= {
        (n, bench_plan.FREE) for n in (1, 2, 4, 8, 16, 32)} | {
        (bench_plan.CPUS, n) for n in (64, 256, 1024, 4096)}


def test_a_machine_that_the_host_cannot_hold_is_left_out(monkeypatch,
                                                         capsys):
    boots = [dataclasses.replace(boot(), free=n) for n in (32, 4096)]
    monkeypatch.setattr(bench, "available_mib", lambda: 8000)
    assert bench.that_fit(boots) == boots[:1]
    assert "4096 MiB" in capsys.readouterr().err


def test_both_systems_get_the_same_machine():
    ours, theirs = (vm.machine_arguments(bench_plan.options(b)) for b in (
        boot(), boot("linux", "stock")))
    assert ours == theirs


def test_the_command_fits_the_kernels_parameter():
    limit = int(re.search(r"#define RUN_MAX (\d+)", (
        vm.ROOT / "kernel/param.h").read_text()).group(1))
    sent = []

    def run(_options, command):
        sent.append(vm.kernel_words(vm.Options(), command)[-1])
        return vm.Result(0, output=b"nr_free_pages 8192\n{}\n")

    for b in bench_plan.plan(bench.Size()):
        if b.system == "weir":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(vm, "run", run)
                assert bench.run_weir(b) == ([{}], 32)
    assert max(map(len, sent)) - len("run=") < limit


@pytest.mark.parametrize("bad", [
    [phase(n, bad=n == "sweep") for n in bench_report.WORKLOADS],
    [phase(n, lost=-(n == "sweep")) for n in bench_report.WORKLOADS],
    [phase(n) for n in bench_report.WORKLOADS[:3]]])
def test_what_lost_data_is_no_figure(bad):
    bench.check(boot(), [phase(n) for n in bench_report.WORKLOADS])
    with pytest.raises(vm.HostError):
        bench.check(boot(), bad)


def test_linuxs_list_of_runs_fits():
    """`option` of tools/peer-linux/init.c reads 127 bytes."""
    for b in bench_plan.plan(bench.Size()):
        words = bench_plan.peer_words(b)
        assert len(words["runs"]) <= 127
        assert all(str(words[k]) for k in ("T", "W", "ops", "seed",
                                           "variant", "F", "swap"))


@pytest.fixture
def run_bench(monkeypatch, tmp_path):
    """run_bench(arguments...): the status; files go to tmp_path."""
    monkeypatch.setattr(vm, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "JSON", tmp_path / "bench.json")
    monkeypatch.setattr(bench_report, "HTML", tmp_path / "bench.html")
    monkeypatch.setattr(peer, "kernel", lambda: tmp_path)
    monkeypatch.setattr(peer, "initrd", lambda _: tmp_path)
    monkeypatch.setattr(bench, "facts", lambda *_: FACTS)
    monkeypatch.setattr(bench, "run_weir",
                        lambda b, *_: (phases_of(b), 32.0))
    monkeypatch.setattr(bench, "run_linux",
                        lambda b, *_: (phases_of(b), 32.0))

    def go(quick=True, pairs=None, cpus=None, docs=False):
        return bench.bench(types.SimpleNamespace(
            quick=quick, pairs=pairs, cpus=cpus, docs=docs))
    return go


def test_bench_writes_both_files_and_says_where_it_is(run_bench, tmp_path,
                                                      capsys):
    assert run_bench(pairs=1) == 0
    out, err = capsys.readouterr()
    boots = bench_plan.plan(dataclasses.replace(bench.QUICK, pairs=1))
    assert len(err.splitlines()) == len(boots)
    assert err.startswith(f"bench: 1 of {len(boots)}: weir immediate, ")
    assert len(json.loads((tmp_path / "bench.json").read_text())) > 50
    assert "<svg" in (tmp_path / "bench.html").read_text()
    assert out.splitlines()[-1].startswith("wrote bench.json (")


def test_a_boot_that_went_wrong_is_said_and_left_out(
        run_bench, monkeypatch, tmp_path, capsys):
    def lose(b, *_):
        return [phase(n, bad=b.policy == "two-pass")
                for n in bench_report.WORKLOADS * len(b.runs)], 32.0

    monkeypatch.setattr(bench, "run_weir", lose)
    assert run_bench(pairs=1) == vm.HOST
    assert "boots went wrong" in capsys.readouterr().err
    found = json.loads((tmp_path / "bench.json").read_text())
    assert {r["policy"] for r in found} == \
        {*vm.POLICIES, "stock"} - {"two-pass"}


def test_bench_without_linux(run_bench, monkeypatch, tmp_path, capsys):
    def none():
        raise vm.HostError("apt-get download: no network")

    monkeypatch.setattr(peer, "kernel", none)
    assert run_bench() == vm.HOST
    assert "no network" in capsys.readouterr().err
    assert not (tmp_path / "bench.json").exists()


def test_docs_come_after_a_measurement(run_bench, capsys):
    assert run_bench(docs=True) == 1
    assert "`make bench` comes first" in capsys.readouterr().err


# ---- the report ------------------------------------------------------------
def test_report_is_one_file_with_every_plot(whole):
    page = bench_report.html(whole)
    assert not re.search(r"https?:|//|src=|@import|<link|<script", page)
    for name in [*(f.name for f in bench_report.FIGURES), "scale"]:
        (section,) = re.findall(
            rf'<section id="{name}">(.*?)</section>', page, re.S)
        assert section.count("<svg") == section.count("</svg>") == 1
        assert "<td>" in section
        assert "load average" in section
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', page)) <= \
        {(i, "") for i in ids} | {("", i) for i in ids}


def test_policies_have_a_line_each_and_so_has_linux(whole):
    tables = dict(bench_report.tables(whole))
    assert [r[0] for r in tables["ipis-cpus"].rows] == \
        [*vm.POLICIES, "Linux"]
    assert [r[0] for r in tables["rounds-cpus"].rows] == [*vm.POLICIES]
    assert tables["ipis-dirty"].head[1:] == [*bench_plan.CURVE]
    assert [r[0] for r in tables["traces"].rows] == \
        ["two-pass", "Belady", "Linux"]
    assert tables["traces"].head[1:] == [*bench_plan.TRACES]
    assert tables["time-phases"].head[1:] == [*bench_report.WORKLOADS]
    assert tables["time-cpus"].head[1:] == [1, 2, 4, 8, 16, 32]
    assert tables["instructions-cpus"].head[1:] == [1, 2, 4, 8, 16, 32]
    assert tables["time-memory"].head[1:] == [64, 256, 1024, 4096]
    assert tables["sharers"].head[1:] == [1, 10, 100, 1000]
    assert tables["fairness"].head[1:] == [*bench_report.WORKLOADS]


def test_every_line_and_axis_has_a_name():
    metrics = {f.metric for f in bench_report.FIGURES}
    assert metrics == set(bench_plot.Y_LABELS)
    assert {f.column for f in bench_report.FIGURES} == set(
        bench_plot.X_LABELS)
    assert set(bench_plot.LOOKS) == {*vm.POLICIES, "Linux", "Belady"}


def test_a_column_of_phases_has_the_whole_dirty_write_rand():
    b = boot(runs=(0, 100))
    found = rows_of((b, [phase("write-rand", 0, elapsed_ns=2_000_000),
                         phase("write-rand", 100, elapsed_ns=6_000_000)]))
    table = dict(bench_report.tables(found))["time-phases"]
    assert table.rows == [["two-pass", "3"]]


def test_headline(whole):
    lines = bench_report.headline(whole).rows
    assert [line[2:] for line in lines] == [
        ["-", "20 [20-20]", "20", "yes"],
        ["1,200 [1,200-1,200]", "60 [60-60]", "50", "no"],
        ["600 [600-600]", "30 [30-30]", "5", "no"],
        ["-", "0.5 [0.5-0.5]", "0.33", "no"],
        ["2,000 [2,000-2,000]", "1,000 [1,000-1,000]", "2,000", "yes"],
        ["-", "1 [1-1]", "1.5", "yes"],
        *[["-", "1 [1-1]", "1", "yes"]] * 5]


def test_nothing_measured_is_a_page_all_the_same():
    assert "Nothing was measured" in bench_report.html([])


def test_docs(whole, monkeypatch, tmp_path):
    text = "a\n" + bench_report.BEGIN + "old\n" + bench_report.END + "z\n"
    (tmp_path / "README.md").write_text(text)
    monkeypatch.setattr(bench_report, "README", tmp_path / "README.md")
    monkeypatch.setattr(bench_report, "DOCS", tmp_path / "performance.md")
    bench_report.write_docs(whole)
    bench_report.write_docs(whole)
    page = (tmp_path / "performance.md").read_text()
    for figure in bench_report.FIGURES:
        assert f"## {figure.title}\n" in page
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert pictures == [f"performance/{n}.svg"
                        for n in bench_report.DOCS_PLOTS]
    for name in pictures:
        assert (tmp_path / name).read_text().rstrip().endswith("</svg>")
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith("a\n") and readme.endswith("z\n")
    assert "old" not in readme
    assert readme.count("| TLB IPIs per 1,000 pages swapped out |") == 1


def test_the_readme_has_a_place_for_the_headline(whole):
    readme = (vm.ROOT / "README.md").read_text()
    assert "at most" in bench_report.with_headline(readme, whole)
    with pytest.raises(ValueError):
        bench_report.with_headline("no place", whole)


# ---- Linux -----------------------------------------------------------------
CONSOLE = """\
[    0.1] some noise\r
WL start\r
WL {"memfree_kb":32768}\r
WL {"phase":"populate","bad":0}\r
WL done\r
[    9.9] reboot: Power down\r
"""


def test_what_linux_prints():
    run = peer.parse(CONSOLE)
    assert run.phases == [{"phase": "populate", "bad": 0}]
    assert run.free_mib == 32


@pytest.mark.parametrize("console", [
    "", CONSOLE.replace("WL done", "Kernel panic"),
    CONSOLE.replace("WL done", "WL failed: worker 1: 0xb\r\nWL done")])
def test_linux_that_did_not_finish(console):
    with pytest.raises(vm.HostError, match="Linux did not finish"):
        peer.parse(console)


def unpacked(archive):
    """{name: bytes} of a newc archive."""
    files, at = {}, 0
    while True:
        head = archive[at:at + 110]
        assert head[:6] == b"070701"
        size, name_size = (int(head[6 + 8 * i:14 + 8 * i], 16)
                           for i in (6, 11))
        name = archive[at + 110:at + 109 + name_size].decode()
        at = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return files
        files[name] = archive[at:at + size]
        at = (at + size + 3) & ~3


@pytest.mark.parametrize("suffix, pack", [("", bytes), (".xz",
                                                        lzma.compress)])
def test_initrd(tmp_path, monkeypatch, suffix, pack):
    driver = tmp_path / "lib/modules/6/kernel/drivers/block"
    driver.mkdir(parents=True)
    (driver / ("brd.ko" + suffix)).write_bytes(pack(b"a driver"))
    monkeypatch.setattr(peer, "OUT", tmp_path / "out")
    archive = gzip.decompress(peer.initrd(tmp_path).read_bytes())
    files = unpacked(archive)
    assert files["init"].startswith(b"\x7fELF")
    assert files["brd.ko"] == b"a driver"
    assert {"dev", "dev/console"} <= set(files)


def test_the_newest_kernel_of_the_cache_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for version in ("6.1.0-9", "6.1.0-56", "6.1.0-60"):
        boot_folder = peer.cache() / f"linux-image-{version}-amd64/boot"
        boot_folder.mkdir(parents=True)
        if version != "6.1.0-60":       # one that is not whole
            (boot_folder / f"vmlinuz-{version}-amd64").touch()
    folder = peer.kernel()
    assert peer.version(folder) == "Linux 6.1.0-56-amd64"
