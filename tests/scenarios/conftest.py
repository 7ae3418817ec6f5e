"""Shared by the guest scenarios: the tool's modules, variant ISOs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from weirlib import vm  # noqa: E402

# A whole boot with its workload; a loaded host is several times slower.
BOOT_TIMEOUT = 150


@pytest.fixture(scope="session")
def iso():
    path = vm.default_iso()
    if not path.is_file():
        pytest.fail(f"{path} is not there; `make iso` builds it")
    return path


@pytest.fixture
def weir(iso):
    """weir("wl", "--json", cpus=4): the Result of one boot."""
    def boot(*command, timeout=BOOT_TIMEOUT, **options):
        options.setdefault("iso", iso)
        return vm.run(vm.Options(timeout=timeout, **options), command)
    return boot


@pytest.fixture
def clean(weir):
    """Like weir, and the command must have ended with status 0."""
    def boot(*command, **options):
        result = weir(*command, **options)
        assert result.status == 0, report(result)
        return result
    return boot


def report(result):
    return (f"status {result.status} {result.verdict}\n--- output\n"
            f"{result.text[-3000:]}\n--- console\n{result.console[-5000:]}")


def make_iso(path, tree):
    """An ISO of the files in `tree` (a folder with boot/grub/grub.cfg)."""
    done = subprocess.run(["grub-mkrescue", "-o", str(path), str(tree)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def variant(iso, tmp_path):
    """variant(change): an ISO whose tree `change(boot_folder)` edited."""
    def build(change):
        tree = tmp_path / "tree"
        shutil.copytree(iso.parent / "iso", tree)
        change(tree / "boot")
        return make_iso(tmp_path / "variant.iso", tree)
    yield build
    shutil.rmtree(tmp_path, ignore_errors=True)


def source_files(*rooms):
    """The project's C and assembly files in these rooms."""
    for room in rooms:
        for folder, _, names in os.walk(ROOT / room):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".asm", ".def")):
                    yield Path(folder) / name
