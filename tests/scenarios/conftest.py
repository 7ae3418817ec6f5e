"""Fixtures of the guest scenarios: boots, variant ISOs.

WEIR_MACHINE="machine=bochs cpu_model=tigerlake" has every scenario that can
run there do so: `make machines`.
"""

import os
import shutil
import signal

import pexpect
import pytest
from guest import (BOOT_TIMEOUT, CHECK, MEM, image, interactive, report, vm)

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
    """weir("wl", "--json", cpus=4): the Result of one boot, watched as
    `check` says: "" for not at all. A test that fails shows the commands
    that repeat its boots."""
    def boot(*command, timeout=BOOT_TIMEOUT, check=CHECK, **options):
        words = [f"check={check}"] if check else []
        words += options.pop("words", [])
        options = vm.Options(**{"iso": iso, "mem": MEM, **MACHINE, **options},
                             timeout=timeout * PATIENCE, words=words)
        print(vm.shown(options, command))
        result = vm.run(options, command)
        if MACHINE and result.lacks:
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
def console(iso):
    """An interactive boot, at the first prompt."""
    guest = interactive("--cpus", "2", "--iso", str(iso))
    yield guest
    if guest.isalive():     # it takes QEMU with it
        guest.kill(signal.SIGTERM)
        guest.expect(pexpect.EOF, timeout=BOOT_TIMEOUT)
    guest.close()


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
