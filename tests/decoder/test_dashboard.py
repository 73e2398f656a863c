from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from decoder.appraising import Appraisal, appraise_problem, nothing_yet
from decoder.dashboard import dashboard, said_of, shown_live
from decoder.tally import Tally
from streaming.signal import Gap, Marker
from tests.decoder.calibrations import WHO, live, settings
from tests.decoder.trials import problem


def drawn(tally: Tally, appraisal: Appraisal | None, news: str = "") -> str:
    console = Console(file=io.StringIO(), width=140)
    console.print(dashboard(tally, appraisal, news, busy=True))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_all_is_to_be_seen(tmp_path: Path) -> None:
    tally = Tally(WHO.spec, settings(tmp_path))
    assert "not fitted yet" in drawn(tally, None)
    for fed in live(20):
        tally.feed(fed.item)
    tally.feed(Gap(1.0, 0.25, "lost"))
    tally.feed(Marker("blink", 2.0, 0, 250))
    tally.bad = {"Cz": "flat"}
    found = appraise_problem(problem(n=160))
    seen = drawn(tally, found, "the source is away")
    for text in (
        f"{tally.n_windows} trials: tree {tally.shown['tree']}",
        "Cz flat",
        "withheld",
        "0.25 s",
        "1 markers that the table does not list",
        "the source is away",
        "AUC",
        "chance 0.500, pool 2",
        "looking again",
        found.suggestion.text[:20],
        "█",
    ):
        assert text in seen


def test_too_little_is_said(tmp_path: Path) -> None:
    tally = Tally(WHO.spec, settings(tmp_path))
    little = nothing_yet("only 3 [x]")
    assert "only 3 [x]" in drawn(tally, little)
    assert said_of(little) == "only 3 [x]"


def test_without_a_terminal_each_appraisal_is_a_line(tmp_path: Path) -> None:
    tally = Tally(WHO.spec, settings(tmp_path))
    found = appraise_problem(problem(n=160))
    console = Console(file=io.StringIO(), width=40)
    with shown_live(console) as view:
        for _ in range(3):
            view(tally, found, "away", False)
    file = console.file
    assert isinstance(file, io.StringIO)
    first, second = file.getvalue().splitlines()
    assert first == "away"
    assert second == said_of(found)
    assert "closed_set AUC" in second
    with shown_live(Console(file=io.StringIO(), force_terminal=True, width=140)) as view:
        view(tally, found, "", False)


def test_what_beginning_anew_gives_is_beside(tmp_path: Path) -> None:
    tally = Tally(WHO.spec, settings(tmp_path))
    found = appraise_problem(problem(n=160))
    both = replace(found, anew=tuple(replace(p, main=p.top1) for p in found.points))
    assert drawn(tally, both).count("anew ") == len(found.points) > 2
