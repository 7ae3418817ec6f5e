"""A moment of each fuzzer (tests/fuzz); `make fuzz` is the campaign."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from weirlib import fuzz  # noqa: E402

SECONDS = 10

targets = pytest.mark.parametrize("name", fuzz.TARGETS)


@targets
def test_ten_seconds(name, seed, tmp_path):
    program = fuzz.build(name, tmp_path)
    print(f"again: tools/weir fuzz --minutes {SECONDS / 60:.2f} "
          f"--seed {seed} {name}")
    result = fuzz.run(name, program, seed, f"-max_total_time={SECONDS}")
    assert not result.crash, result.log
    assert result.executions > 1000, result.log


@targets
def test_the_corpus_alone_finds_a_bug(name, tmp_path):
    target = fuzz.TARGETS[name]
    sources = [ROOT / s for s in target.sources]
    text = sources[0].read_text()
    assert text.count(target.good) == 1
    sources[0] = tmp_path / sources[0].name
    sources[0].write_text(text.replace(target.good, target.bad))
    program = fuzz.build(name, tmp_path / "out", sources)
    assert fuzz.run(name, program, 1).crash


def test_the_corpus_is_small():
    files = [path for path in fuzz.CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == set(fuzz.TARGETS)
    assert sum(path.stat().st_size for path in files) < 200 << 10
