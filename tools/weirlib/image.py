"""ISOs made of folders, and back: one with other words for GRUB, say."""

import re
import subprocess

from weirlib.vm import HostError


def _call(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              check=False)
    except OSError as error:
        raise HostError(f"{command[0]} does not start: {error}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        # xorriso says first what failed, and then that it gives up.
        line = next((s for s in lines if "FAILURE" in s), lines[-1])
        raise HostError(f"{command[0]}: {line.rstrip('.')}")


def unpack(iso, tree):
    """Our files in the ISO, to the folder `tree`, writable. GRUB's own stay
    behind: make() adds them."""
    grub = tree / "boot" / "grub"
    grub.mkdir(parents=True)
    _call(["xorriso", "-osirrox", "on", "-indev", str(iso),
           "-cpx", "/boot/*.*", str(tree / "boot"), "--",
           "-cpx", "/boot/grub/grub.cfg", str(grub), "--"])
    for path in tree.rglob("*.*"):
        path.chmod(0o644)


def make(path, tree):
    """A bootable ISO of the files in `tree`."""
    _call(["grub-mkrescue", "-o", str(path), str(tree)])
    return path


def add_words(tree, words):
    """Appends `words` to the kernel's command line in grub.cfg.

    For GRUB each is in single quotes, inside which only a single quote is
    special; GRUB then quotes and escapes them for the kernel.
    """
    cfg = tree / "boot" / "grub" / "grub.cfg"
    line = "".join(" '" + word.replace("'", r"'\''") + "'" for word in words)
    text, found = re.subn(r"^(?!\s*#)(.*\bmultiboot2 \S+)",
                          lambda match: match.group(1) + line,
                          cfg.read_text(), flags=re.M)
    if not found:
        raise HostError("the ISO's grub.cfg has no multiboot2 line")
    cfg.write_text(text)
