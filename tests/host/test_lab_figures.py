"""labs/: pictures and tables say what the sources say; links lead somewhere."""
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from weirlib import handouts, lab_figures, source

ROOT = Path(__file__).resolve().parents[2]
LABS = sorted(path.parent for path in (ROOT / "labs").glob("*/handout.md"))
PAGES = [ROOT / "labs/README.md",
         *(lab / page for lab in LABS for page in ("handout.md", "teacher.md"))]


@pytest.mark.parametrize("name", lab_figures.FIGURES)
def test_the_picture_is_that_of_the_sources(name):
    text = str(lab_figures.FIGURES[name]())
    ElementTree.fromstring(text)
    path = lab_figures.FOLDER / f"{name}.svg"
    assert path.read_text() == text, "`tools/weir docs` draws it again"


def test_there_is_no_other_picture():
    assert {path.stem for path in lab_figures.FOLDER.iterdir()} == \
        set(lab_figures.FIGURES)


@pytest.mark.parametrize("page", handouts.files(),
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_the_tables_are_those_of_lab_toml_and_of_the_promises(page):
    assert page.read_text() == handouts.files()[page], \
        "`tools/weir docs` writes it again"


def test_what_a_handout_names_is_promised():
    """Every name has its row; without the names there is none."""
    text = (ROOT / "labs/tlb/handout.md").read_text()
    named = set(re.findall(r"\b[PI]\d+\b", text))
    rows = set(re.findall(r"^\| ([PI]\d+) \|", handouts.promises(text), re.M))
    assert {"P1", "P2", "P3", "I4", "I8"} <= named == rows
    assert not re.findall("[PI][0-9]", handouts.promises("nothing"))


def test_a_changed_source_changes_the_picture(monkeypatch):
    """One more legal move, one lock fewer, a policy that never flushes."""
    before = {name: str(draw()) for name, draw in lab_figures.FIGURES.items()}
    read = source.read

    def changed(path):
        text = read(path)
        text = text.replace("(LAUNDRY, TO(ISOLATED)",
                            "(LAUNDRY, TO(ISOLATED) | TO(LIMBO)")
        text = text.replace("X(slots)", "")
        return text.replace(".at_clean = true,", "")

    monkeypatch.setattr(source, "read", changed)
    after = {name: str(draw()) for name, draw in lab_figures.FIGURES.items()}
    assert {name for name in before if before[name] != after[name]} == \
        {"frame-states", "locks", "debt"}


def anchors(path):
    """Of the headings, as the usual renderers make them."""
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
            for title in re.findall(r"^#+ (.*)$", path.read_text(), re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("lab", LABS, ids=lambda p: p.name)
def test_a_handout_has_its_parts(lab):
    text = (lab / "handout.md").read_text()
    for part in ("What you build", "Questions", "How it is graded"):
        assert f"\n## {part}\n" in text, part
    assert 4 <= len(re.findall(r"^\d\. ", text.split("## Questions")[1]
                               .split("\n## ")[0], re.M)) <= 6
    assert "figures/" in text and "SDM" in text or lab.name in ("boot", "open",
                                                                "ipc")
