"""Fixtures of the guest scenarios: boots, variant ISOs.

WEIR_MACHINE="machine=bochs cpu_model=tigerlake" has every scenario that can
run there do so: `make machines`.
"""

import os
import shutil

import pytest
from guest import BOOT_TIMEOUT, image, report, vm


# The machine that is asked for; Bochs is some ten times slower than QEMU.
MACHINE = dict(word.split("=", 1)
               for word in os.environ.get("WEIR_MACHINE", "").split())
PATIENCE = 10 if MACHINE.get("machine") == "bochs" else 2 if MACHINE else 1


@pytest.fixture(scope="session")
def iso():
    path = vm.default_iso()
    if not path.is_file():
        pytest.fail(f"{path} is not there; `make iso` builds it")
    return path


@pytest.fixture
def weir(iso):
    """weir("wl", "--json", cpus=4): the Result of one boot, watched by the
    oracle (mm/oracle.h), with sums of swap slots and poison in free memory,
    unless `check` says what else: "" for nothing."""
    def boot(*command, timeout=BOOT_TIMEOUT, check="tlb,slots,poison",
             **options):
        options.setdefault("iso", iso)
        words = [f"check={check}"] if check else []
        options["words"] = words + list(options.get("words", []))
        options = {**MACHINE, **options}
        result = vm.run(vm.Options(timeout=timeout * PATIENCE, **options),
                        command)
        if MACHINE and result.status == vm.HOST:
            pytest.skip(result.verdict)
        return result
    return boot


@pytest.fixture
def clean(weir):
    """Like weir, and the command must have ended with status 0."""
    def boot(*command, **options):
        result = weir(*command, **options)
        assert result.status == 0, report(result)
        return result
    return boot


@pytest.fixture
def variant(iso, tmp_path):
    """variant(change): an ISO whose tree `change(boot_folder)` edited."""
    def build(change):
        tree = tmp_path / "tree"
        image.unpack(iso, tree)
        change(tree / "boot")
        return image.make(tmp_path / "variant.iso", tree)
    yield build
    shutil.rmtree(tmp_path, ignore_errors=True)
