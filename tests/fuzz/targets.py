"""What `tools/weir fuzz` feeds: drivers of tests/host/c, and what they drive.

Each target has a corpus, tests/fuzz/corpus/NAME, of inputs that together
reach all that was ever reached. And each has a bug that the corpus alone must
find, or it is not worth keeping (tests/host/test_fuzz.py plants it).
"""

from collections import namedtuple

# The sources; the longest input; in the first source, good and bad text.
Target = namedtuple("Target", "sources longest good bad")

TARGETS = {
    "elf": Target(
        ["user/lib/elf.c"], 2048,
        "p->offset > size || p->filesz > size - p->offset",
        "p->offset > size || p->filesz > size"),
    "tar": Target(
        ["user/lib/tar.c"], 6144,
        "size >= t->size - t->next", "size >= t->size"),
    "acpi": Target(
        ["arch/x86_64/acpi.c"], 2048,
        "t[at + 1] > len - at", "t[at + 1] > len"),
    "multiboot": Target(
        ["boot/multiboot.c"], 4096,
        "t->size > *total - at", "t->size > *total"),
    "param": Target(
        ["kernel/param.c"], 2048, "if (n + 1 < WORD_MAX)",
        "if (n < WORD_MAX)"),
    "pager": Target(
        ["mm/pager.c", "mm/pageio.c"], 256,
        "io->cookie == cookie && io->taken", "io->cookie == cookie"),
}
