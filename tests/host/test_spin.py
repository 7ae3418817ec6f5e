"""arch/x86_64/spin.c."""
from drivers import ROOT


def test_spin(driver):
    driver("spin_test", [], flags=("-iquote", str(ROOT)), shim=False)()
