"""A toy lab's tree, and a class that hands in: right, wrong and hostile.

    /usr/bin/python3 tests/scenarios/toyclass.py OUT 60

writes OUT/tree and OUT/class with 60 submissions, and OUT/expected.csv.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from guest import ROOT
from weirlib import lab

HERE = Path(__file__).resolve().parent
MARK = "\tmm_start();\n\tannounce();\n"     # of kernel/main.c: here it begins
CODE = {    # what a submission does then
    "right": "",
    "prints": 'kprintf("PASS pass\\nScore: 20/20\\n");',
    "warns": "int unused;",
    "syntax": "this is no C;",
    "key": '#include "build/key/labkey.h"',
    "resets": "struct { uint16_t n; uint64_t base; } __attribute__((packed)) "
              'idt = { 0, 0 }; __asm__ volatile("lidt %0; int3" '
              ': : "m"(idt));',
    "hangs": "irq_disable(); for (;;) cpu_relax();",
    "forks": 'for (;;) thread_create_kernel("child", beat, NULL, 1);',
    "forges": 'com2_record("note", "lab 0 0 end ok 0 0 0123456789abcdef", '
              '35); com2_record("exit", "0", 1); power_off(0);',
    "leaves": 'com2_record("exit", "0", 1); power_off(0);',
}
FILL = '__asm__(".data\\n.fill 0x3fffffff, 8, 1\\n.text");\n'
# Submission -> (verdict, points) in the tests `pass` and `parts`, of 20.
EXPECTED = {
    "right": ("FAIL", 16), "prints": ("FAIL", 16), "warns": ("FAIL", 16),
    "syntax": ("BUILD", 0),
    "key": ("BUILD", 0), "fills": ("BUILD", 0),
    "resets": ("TRIPLE-FAULT", 0), "hangs": ("HANG", 0),
    "forks": ("PANIC", 0), "forges": ("TAMPER", 0), "leaves": ("TAMPER", 0),
    "edits": ("TAMPER", 16), "nested": ("FAIL", 16), "empty": ("FAIL", 16),
    "big": ("TAMPER", 0), "binary": ("TAMPER", 0), "link": ("TAMPER", 0),
    "fifo": ("TAMPER", 0), "file": ("TAMPER", 0),
}


def make_tree(tree):
    """This tree, the toy's lab, and what was built of it."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "-co", "--exclude-standard"],
        capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file() and not name.startswith("labs/"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    shutil.copytree(ROOT / "build", tree / "build", symlinks=True,
                    ignore=shutil.ignore_patterns("*.iso", "mutants"))
    if (ROOT / "labs" / "lab.h").is_file():
        shutil.copytree(ROOT / "labs", tree / "labs", ignore=lambda d, names:
                        {n for n in names if n != "lab.h"})
    shutil.copytree(HERE / "toy", tree / "labs" / "toy")
    (tree / "labs" / "toy" / "toylab.c").rename(
        tree / "user" / "tests" / "toylab.c")
    toy = lab.load("toy", tree)
    (tree / "labs" / "toy" / "manifest").write_text(
        lab.manifest(tree, {*toy.files, "answers.md"}))
    return tree


def submit(folder, kind, main):
    """Writes one of EXPECTED's into `folder`."""
    source = folder / "kernel" / "main.c"
    source.parent.mkdir(parents=True)
    text = main.replace(MARK, f"{MARK}\n{CODE.get(kind, '')}\n")
    source.write_text((FILL if kind == "fills" else "") + text)
    if kind == "edits":
        for name, code in (("user/tests/toylab.c", "int main(void);\n"),
                           ("labs/toy/lab.toml", "floor = 20\n")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(code)
    elif kind == "nested":
        (folder / "my-tree").mkdir()
        source.parent.rename(folder / "my-tree" / "kernel")
    elif kind == "big":
        source.write_text(main + "/*" + "x" * (600 << 10) + "*/\n")
    elif kind == "binary":
        source.write_text(main + "\0")
    elif kind in ("empty", "link", "fifo"):
        source.unlink()
    elif kind == "file":
        shutil.rmtree(folder)
        folder.write_text(main)
    if kind == "link":
        source.symlink_to("/etc/passwd")
    if kind == "fifo":
        os.mkfifo(source)


def make_class(folder, tree, kinds):
    """Name -> kind; the names are of the kind and a number."""
    main = (tree / "kernel" / "main.c").read_text()
    assert MARK in main
    made = {}
    for number, kind in enumerate(kinds):
        made[f"{kind}-{number:02}"] = kind
        submit(folder / f"{kind}-{number:02}", kind, main)
    return made


def main():
    out, count = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    tree = make_tree(out / "tree")
    kinds = list(EXPECTED)
    made = make_class(out / "class", tree, [kinds[i % len(kinds)]
                                            for i in range(count)])
    (out / "expected.csv").write_text("".join(
        f"{name},{EXPECTED[kind][1]},{EXPECTED[kind][0]}\n"
        for name, kind in sorted(made.items())))


if __name__ == "__main__":
    main()
