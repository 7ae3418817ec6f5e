"""How a host driver is compiled: for pytest and for `make mutants`."""

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FLAGS = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-parameter", "-fno-omit-frame-pointer",
         "-I" + str(HERE / "shim"), "-I" + str(HERE / "c"),
         "-I" + str(ROOT), "-pthread"]
SANITIZE = {
    "asan": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "tsan": ["-fsanitize=thread"],
}
# With the planted bugs; WEIR_PLANT= chooses one when the driver runs.
PLANT = ("-DPLANT",)


def compile_driver(out, name, sources, sanitizer="asan", flags=(), shim=True):
    """tests/host/c/NAME.c with `sources`, as the program `out`."""
    files = [HERE / "c" / f"{name}.c", *(ROOT / s for s in sources)]
    if shim:
        files.append(HERE / "shim" / "shim.c")
    missing = [f for f in files if not f.exists()]
    assert not missing, f"no such source: {missing}"
    done = subprocess.run(
        ["gcc", *FLAGS, *SANITIZE[sanitizer], *flags, "-o", out,
         *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
