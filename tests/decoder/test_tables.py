from __future__ import annotations

from rich.console import Console
from rich.table import Table

from decoder.controls import Control
from decoder.evaluation import evaluate
from decoder.resampling import Score
from decoder.tables import as_table, controls_table
from tests.decoder.trials import problem


def text(table: Table) -> str:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_control_stands_beside_its_own_chance() -> None:
    """Who answers what was shown is above one half by chance, where half was never shown."""
    prior = Score(0.667, 0.666, 0.654, 0.678)
    control = Control("before the stimulus", "", prior, prior, 0.9, at_chance=False)
    shown = text(controls_table([control]))
    assert "0.667 │ 0.654 to 0.678 │  0.666 │ 0.9000 │ not at chance" in shown


def test_the_title_says_of_how_many_runs_the_trials_are() -> None:
    evaluation = evaluate(problem(n=160).hold_out())
    assert "160 trials in 4 runs or parts, 2 candidates" in text(as_table(evaluation))
