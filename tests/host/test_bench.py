"""`make bench`: its plan, rows, report, and the Linux that it compares with.

Programs read build/bench.json. Nothing is booted here: what the workload
prints is given.
"""
import gzip
import json
import lzma
import re
import types

import pytest
from weirlib import bench, bench_report, bench_rows, peer, vm

KEYS = {"system", "policy", "cpus", "workload", "variant", "dirty_fraction",
        "metric", "value", "unit"}
HOST = bench_rows.Host(0.5, 3.0, 0.02)
FACTS = {"versions": "Weir 1; Linux 2", "parameters": "W=48"}


def phase(name, dirty=100, **other):
    """An object as `wl --json` prints it, of the keys that are used."""
    return {"phase": name, "dirty": dirty, "ops": 2000, "bad": 0, "lost": 0,
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
         dirty=(100,), variant="threads"):
    return bench_rows.Boot(system, policy, cpus, variant, accel, dirty, pair)


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
    make = phase if b.system == "weir" else linux_phase
    return [make(name, dirty) for dirty in b.dirty
            for name in bench_report.WORKLOADS]


@pytest.fixture
def whole():
    """The rows of a whole run."""
    return rows_of(*((b, phases_of(b)) for b in bench.plan(bench.Size())))


# ---- rows ------------------------------------------------------------------
def test_figures_of_a_phase():
    found = rows_of((boot(), [phase("write-rand")]))
    assert figures(found, workload="write-rand") == {
        "us_per_page": 2, "us_per_op": 2, "slowest_by_fastest": 1.5,
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


def test_few_pages_have_no_rate():
    found = rows_of((boot(), [phase("write-rand", pswpout=99)]))
    names = figures(found, workload="write-rand")
    assert "ipis_per_1000_out" not in names
    assert "ipis_per_1000_reclaimed" in names


def test_only_write_rand_has_a_curve():
    b = boot(dirty=(0, 50, 100))
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
        "ratio_us_per_page", "ratio_us_per_op", "ratio_slowest_by_fastest",
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
    boots = bench.plan(size)
    assert len(boots) == len(set(boots))
    for pair in range(1, size.pairs + 1):
        mine = [b for b in boots if b.pair == pair]
        groups = {(b.cpus, b.variant, b.accel) for b in mine}
        for key in groups:
            systems = [b.system for b in mine
                       if (b.cpus, b.variant, b.accel) == key]
            assert systems.count("linux") == 1 and systems[-1] == "linux"
    assert [b.pair for b in boots] == sorted(b.pair for b in boots)
    assert {b.policy for b in boots} == {*vm.POLICIES, "stock"}
    assert all(b.dirty[-1] == 100 for b in boots)


def test_both_systems_get_the_same_machine():
    ours, theirs = (vm.machine_arguments(bench.options(b)) for b in (
        boot(), boot("linux", "stock")))
    assert ours == theirs


def test_the_command_fits_the_kernels_parameter():
    limit = int(re.search(r"#define RUN_MAX (\d+)", (
        vm.ROOT / "kernel/param.h").read_text()).group(1))
    sent = []

    def run(_options, command):
        sent.append(vm.kernel_words(vm.Options(), command)[-1])
        return vm.Result(0, output=b"nr_free_pages 8192\n{}\n")

    for b in bench.plan(bench.Size()):
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
    boots = bench.plan(bench.Size(**{**vars(bench.QUICK), "pairs": 1}))
    assert len(err.splitlines()) == len(boots)
    assert err.startswith(f"bench: 1 of {len(boots)}: weir immediate, ")
    assert len(json.loads((tmp_path / "bench.json").read_text())) > 50
    assert "<svg" in (tmp_path / "bench.html").read_text()
    assert out.splitlines()[-1].startswith("wrote bench.json (")


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
    for figure in bench_report.FIGURES:
        (section,) = re.findall(
            rf'<section id="{figure.name}">(.*?)</section>', page, re.S)
        assert section.count("<svg") == section.count("</svg>") == 1
        assert "<td>" in section
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', page)) <= \
        {(i, "") for i in ids} | {("", i) for i in ids}


def test_policies_have_a_line_each_and_so_has_linux(whole):
    tables = dict(bench_report.tables(whole))
    assert [r[0] for r in tables["ipis-cpus"].rows] == \
        [*vm.POLICIES, "Linux"]
    assert [r[0] for r in tables["rounds-cpus"].rows] == [*vm.POLICIES]
    assert tables["ipis-dirty"].head[1:] == [*bench.CURVE]
    assert tables["time-phases"].head[1:] == [*bench_report.WORKLOADS]


def test_a_column_of_phases_has_the_whole_dirty_write_rand():
    b = boot(dirty=(0, 100))
    found = rows_of((b, [phase("write-rand", 0, elapsed_ns=2_000_000),
                         phase("write-rand", 100, elapsed_ns=6_000_000)]))
    table = dict(bench_report.tables(found))["time-phases"]
    assert table.rows == [["two-pass", "3"]]


def test_headline(whole):
    lines = bench_report.headline(whole).rows
    assert [line[2:] for line in lines] == [
        ["-", "20 [20-20]", "20", "yes"],
        ["1,200 [1,200-1,200]", "60 [60-60]", "50", "no"],
        ["1,200 [1,200-1,200]", "-", "5", ""],
        ["-", "0.5 [0.5-0.5]", "0.33", "no"],
        ["2,000 [2,000-2,000]", "1,000 [1,000-1,000]", "2,000", "yes"]]


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
