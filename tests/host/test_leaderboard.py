"""tools/weir leaderboard: who is ranked, and where."""
import json
from argparse import Namespace

from weirlib import leaderboard


def done(name, *ipis, verdict="PASS", lost=0, **more):
    boots = [{"output": f"meet good\nscore ipis-per-1000-pages {value} "
              f"rounds-per-1000-pages {value / 2} pages 900 lost {lost}\n"}
             for value in ipis]
    rows = [{"verdict": verdict, "regression": False, "boots": boots},
            {"verdict": "PASS", "regression": True, "boots": [
                {"output": "score ipis-per-1000-pages 1 "
                 "rounds-per-1000-pages 1 pages 9 lost 0"}]}]
    return {"lab": "open", "submission": name, "complete": True,
            "tests": rows} | more


def places(*results):
    text = leaderboard.table("open", results)
    return [tuple(cell.strip() for cell in line.split("|")[1:4])
            for line in text.splitlines() if line.startswith("| ")][1:]


def test_the_worst_boot_counts_and_the_lowest_is_first():
    assert places(done("slow", 40.5, 70.0), done("quick", 50.0, 10.0),
                  done("reference", 60.0)) == \
        [("1", "quick", "50.0"), ("2", "reference", "60.0"),
         ("3", "slow", "70.0")]


def test_equal_scores_share_a_place():
    assert [p[0] for p in places(done("b", 5.0), done("a", 5.0),
                                 done("c", 6.0))] == ["1", "1", "3"]


def test_who_is_not_ranked():
    wrong = [done("failed", 1.0, verdict="FAIL"), done("lost", 1.0, lost=1),
             done("host", 1.0, complete=False), done("silent"),
             done("no tests", tests=[])]
    assert places(*wrong, done("right", 9.0)) == [("1", "right", "9.0")]
    assert "Not ranked: 5." in leaderboard.table("open", wrong)


def test_the_file(tmp_path, capsys):
    (tmp_path / "x.json").write_text(json.dumps(done("x", 3.0)))
    args = Namespace(results=tmp_path)
    assert leaderboard.leaderboard(args) == 0
    text = (tmp_path / leaderboard.NAME).read_text()
    assert "| 1 | x | 3.0 | 1.5 | 1 |" in text
    assert capsys.readouterr().out == text
    (tmp_path / "y.json").write_text(json.dumps(done("y", 3.0, lab="tlb")))
    assert leaderboard.leaderboard(args) == 1
    assert "open, tlb" in capsys.readouterr().err
