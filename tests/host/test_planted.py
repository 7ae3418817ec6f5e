"""The planted bugs that a host driver must catch, and plant= itself."""
import pytest
from drivers import PLANT
from mutants import MUTANTS, Host, named, scenes

ROWS = [(bug, name) for bug, names in MUTANTS.items() for name in names
        if isinstance(named(name), Host)]


@pytest.mark.parametrize("bug, name", ROWS)
def test_planted_bug_is_caught(driver, seed, bug, name):
    test = named(name)
    program = driver(test.name, test.sources, flags=PLANT)
    program(seed)
    with pytest.raises(AssertionError, match="CHECK failed|panic: "):
        program(seed, plant=bug)


def test_scenes_are_there():
    names = {name for names in MUTANTS.values() for name in names}
    wanted = {name.split()[1] for name in names if name.startswith("window ")}
    assert wanted and wanted <= set(scenes())


def test_the_planted_build_knows_the_parameter(driver):
    parse = driver("param_test", ["kernel/param.c"], flags=PLANT)
    assert "complaint" not in parse("plant=Z1 plant=Z17b")
    for word in ("plant=Z0", "plant=", "plant=z1", "plant"):
        assert "complaint: para" in parse(word)


def test_no_other_build_does(driver):
    parse = driver("param_test", ["kernel/param.c"])
    assert "complaint: unknown parameter: plant" in parse("plant=Z1")
