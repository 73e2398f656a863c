"""What a calibration shows of itself while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from decoder.appraising import Appraisal
from decoder.calibrating import View
from decoder.curves import LearningPoint
from decoder.forecast import headline
from decoder.tally import Tally

__all__ = ["dashboard", "said_of", "shown_live"]

_WIDTH = 40
_N_NAMED = 8
_MANY_WITHHELD = 0.2


def dashboard(
    tally: Tally, appraisal: Appraisal | None, news: str, *, busy: bool = False
) -> Panel:
    """Return all that is to be seen.

    Parameters
    ----------
    tally : Tally
        What there is.
    appraisal : Appraisal or None
        What it was worth when it was last looked at.
    news : str
        What the source, the recorder or the process that takes in said last.
    busy : bool
        Whether another appraisal is being made.
    """
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column()
    for name, said in _progress(tally):
        facts.add_row(name, said)
    for name, said in _worth(appraisal, busy=busy):
        facts.add_row(name, said)
    if news:
        facts.add_row("news", Text(news, style="yellow"))
    parts: list[Table | Text] = [facts]
    if appraisal is not None and appraisal.points:
        parts += [Text(), _curve(appraisal)]
    return Panel(
        Group(*parts),
        title="calibration",
        subtitle="f: fit now, Ctrl-C: stop recording and fit",
        title_align="left",
        subtitle_align="left",
    )


@contextmanager
def shown_live(console: Console) -> Iterator[View]:
    """Give what shows a calibration: drawn at a terminal, else a line for each appraisal."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, screen=False) as live:

            def draw(tally: Tally, appraisal: Appraisal | None, news: str, busy: bool) -> None:
                live.update(dashboard(tally, appraisal, news, busy=busy), refresh=True)

            yield draw
        return
    last: list[Appraisal | str | None] = [None, ""]

    def say(tally: Tally, appraisal: Appraisal | None, news: str, busy: bool) -> None:  # noqa: ARG001
        if news and news != last[1]:
            console.print(news, soft_wrap=True, markup=False, highlight=False)
        if appraisal is not None and appraisal is not last[0]:
            console.print(said_of(appraisal), soft_wrap=True, markup=False, highlight=False)
        last[:] = [appraisal, news]

    yield say


def said_of(appraisal: Appraisal) -> str:
    """Return an appraisal in a line, where there is no terminal to draw on."""
    e = appraisal.evaluation
    if e is None:
        return appraisal.suggestion.text
    name, s = headline(e)
    return (
        f"{appraisal.minutes:.1f} min, {appraisal.n_trials} trials: {e.protocol} {name} "
        f"{s.value:.3f} [{s.low:.3f}, {s.high:.3f}], chance {s.chance:.3f}, pool {e.pool}; "
        f"{appraisal.suggestion.text}"
    )


def _progress(tally: Tally) -> list[tuple[str, str]]:
    """Return what there is, and how good the signal is."""
    n_kinds = len(tally.table.texts)
    counts = [tally.shown[name] for name in tally.table.texts]
    fewest = f"{min(counts)} to {max(counts)} of each" if counts else ""
    state = "  [yellow]paused[/]" if tally.paused else ""
    trials = f"{tally.n_windows} trials, {fewest} of {n_kinds} stimuli"
    if n_kinds <= _N_NAMED:
        texts = tally.table.texts
        each = ", ".join(f"{escape(text)} {tally.shown[n]}" for n, text in texts.items())
        trials = f"{tally.n_windows} trials: {each}"
    runs = ", ".join(str(n) for _, n in sorted(tally.runs.items()))
    rows = [
        ("progress", f"{tally.seconds / 60:.1f} min{state}"),
        ("shown", trials),
        ("runs", f"{len(tally.runs)} ({runs} trials)" if tally.runs else "none yet"),
    ]
    bad = ", ".join(f"{escape(name)} {why}" for name, why in list(tally.bad.items())[:_N_NAMED])
    more = f" and {len(tally.bad) - _N_NAMED} more" if len(tally.bad) > _N_NAMED else ""
    rows.append(("channels", f"[red]{bad}{more}[/]" if bad else "[green]all good[/]"))
    n_withheld = tally.withheld.total()
    share = n_withheld / max(n_withheld + tally.n_windows, 1)
    why = ", ".join(f"{n} {reason}" for reason, n in tally.withheld.most_common())
    colour = "red" if share > _MANY_WITHHELD else "green"
    said = f"[{colour}]{share:.0%}[/]" + (f" ({why})" if why else "")
    rows.append(("withheld", said))
    if tally.lost:
        rows.append(("lost", f"[red]{tally.lost:.2f} s[/]"))
    if tally.unknown:
        what = f"[red]{tally.unknown} markers that the table does not list[/]"
        rows.append(("unknown", what))
    return rows


def _worth(appraisal: Appraisal | None, *, busy: bool) -> list[tuple[str, str]]:
    """Return what it is worth, and what more would be."""
    again = " [dim](looking again ...)[/]" if busy else ""
    if appraisal is None:
        return [("accuracy", f"[dim]not fitted yet[/]{again}")]
    e = appraisal.evaluation
    if e is None:
        return [("accuracy", f"[dim]{escape(appraisal.suggestion.text)}[/]{again}")]
    name, s = headline(e)
    p = "" if e.p_value is None else f", p = {e.p_value:.4f}"
    if name == "two-way accuracy":
        p += f"; top-1 {e.top1.value:.3f}, chance {e.top1.chance:.3f}"
    rows = [
        (
            "accuracy",
            f"{name} [bold]{s.value:.3f}[/] [{s.low:.3f}, {s.high:.3f}], chance "
            f"{s.chance:.3f}, pool {e.pool}{p}{again}",
        ),
        (
            "",
            f"[dim]{e.protocol}, {e.n} trials of the first {appraisal.minutes:.1f} min, "
            f"{e.n_groups} runs or blocks left out in turn, {appraisal.encoder}[/]",
        ),
    ]
    ahead = appraisal.forecast
    if ahead is not None:
        rows.append(
            (
                "forecast",
                f"{ahead.now.value:.3f} with all {ahead.now.minutes:.1f} min, "
                f"{ahead.later.value:.3f} [{ahead.later.low:.3f}, {ahead.later.high:.3f}] "
                f"after {ahead.gain.minutes:.1f} more",
            )
        )
    colour = "bold green" if appraisal.suggestion.enough else "bold"
    rows.append(("suggestion", f"[{colour}]{escape(appraisal.suggestion.text)}[/]"))
    return rows


def _curve(appraisal: Appraisal) -> Table:
    """Draw the score against minutes: what was measured, and what is expected."""
    assert appraisal.evaluation is not None  # noqa: S101 - there are points
    name, whole = headline(appraisal.evaluation)

    def value_of(point: LearningPoint) -> float:
        return point.top1.value if name == "top-1" else point.main.value

    table = Table.grid(padding=(0, 1))
    for justify in ("right", "left", "right", "right"):
        table.add_column(justify=justify)
    anew = {point.minutes: value_of(point) for point in appraisal.anew}
    rows = [(p.minutes, value_of(p), "cyan") for p in appraisal.points]
    ahead = appraisal.forecast
    if ahead is not None:
        rows += [(e.minutes, e.value, "magenta") for e in (ahead.now, ahead.later)]
    top = max(value for _, value, _ in rows)
    low = min(whole.chance, *(value for _, value, _ in rows))
    for minutes, value, colour in rows:
        length = round(_WIDTH * (value - low) / (top - low)) if top > low else 0
        bar = f"[{colour}]{'█' * length}[/]"
        beside = f"[dim]anew {anew[minutes]:.3f}[/]" if minutes in anew else ""
        table.add_row(f"[dim]{minutes:.1f} min[/]", bar, f"{value:.3f}", beside)
    return table
