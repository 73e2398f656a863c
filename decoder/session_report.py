"""The report of a session: a page that an experimenter can look at the day after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from decoder.account import Account, Score
from decoder.accounting import read_account
from decoder.finished import REPORT
from decoder.folder import open_folder
from decoder.markup import add_figure, new_report, save
from decoder.previews import FOLDER
from decoder.session_plots import (
    FEW,
    plot_answers,
    plot_coverage,
    plot_latencies,
    plot_shares,
)
from decoder.session_previews import previews
from decoder.session_tables import glance, happened, made, tables
from decoder.session_timeline import N_MARKED, plot_timeline
from decoder.verified import kept_verdict
from streaming.errors import SessionError
from streaming.inuse import is_held

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["report_session"]


def report_session(path: Path, output: Path | None = None) -> Path:
    """Write the report of a session that is over.

    Parameters
    ----------
    path : Path
        The session's folder; also of one that was cut short.
    output : Path or None
        The file; ``report.html`` in that folder if not given, where the page finds it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SessionError
        If the folder is none or lacks a part, the session still runs, or the disk refuses.
    """
    folder = open_folder(path)
    if any(map(is_held, (folder.events, folder.inputs, *folder.path.glob("raw*.xdf")))):
        msg = (
            f"{path} still runs, and whoever runs it may be blind to what is decoded: stop it "
            "first (Ctrl-C of serve), then ask for its report"
        )
        raise SessionError(msg)
    account, verified = read_account(folder), kept_verdict(folder)
    output = output or folder.path / REPORT
    report = new_report(f"Session {account.session_id}")
    report.add_html(glance(account, verified), "At a glance", tags=("summary",))
    if account.duration:
        figure = plot_timeline(account)
        add_figure(report, "On one axis of time", figure, _axis_caption(account))
    if account.happened:
        report.add_html(happened(account), "What happened", tags=("tables",))
    figures = dict(_figures(account))
    for title, text in tables(account):
        report.add_html(text, title, tags=("tables",))
        for name, figure, caption in figures.pop(title, ()):
            add_figure(report, name, figure, caption)
    if account.previews:
        report.add_html(previews(account, folder.path / FOLDER), "Previews", tags=("figures",))
    report.add_html(made(account, verified), "How this was made", tags=("summary",))
    try:
        save(report, output)
    except OSError as error:
        msg = f"cannot write {output} ({error.strerror}); name another file with -o"
        raise SessionError(msg) from error
    return output


def _axis_caption(account: Account) -> str:
    parts = []
    if account.happened:
        numbers = min(len(account.happened), N_MARKED)
        parts.append(f"Numbers 1 to {numbers}: see What happened.")
    if account.scores:
        parts.append(
            "Shade: 95 % interval (Wilson); dashed: chance. The score begins anew with each "
            "other model or choice of candidates."
        )
    if account.channels is not None:
        parts.append(
            "Of each channel the worst verdict within each stretch; dots: others stood in for "
            "it."
        )
    if account.recordings:
        parts.append("Dotted lines: another recording began.")
    return " ".join(parts)


def _figures(account: Account) -> Iterator[tuple[str, list[tuple[str, Figure, str]]]]:
    """Yield after which table they belong, and figures with their title and caption."""
    alike = defaultdict[tuple[str, int, int], list[Score]](list)
    for score in account.scores:
        alike[score.protocol, score.pool, score.version].append(score)
    drawn = []
    for protocol in sorted({score.protocol for score in account.scores}):
        groups = (group for key, group in alike.items() if key[0] == protocol)
        most = max(groups, key=lambda group: sum(len(score.rank) for score in group))
        name, pool = protocol.replace("_", " "), most[0].pool
        title = "What was taken for what" if pool <= FEW else "Where the truth came out"
        caption = f"Among {pool} candidates, {name}."
        drawn.append((f"{title}, {name}", plot_answers(most), caption))
    for (protocol, pool), by_latency in account.by_latency.items():
        if len(by_latency) > 1:
            title = f"With how much of the response, {protocol.replace('_', ' ')}"
            caption = f"The same decodes, refined with time, among {pool} candidates."
            in_ms = {1000 * t: found for t, found in by_latency.items()}
            label = "end of the window after its marker [ms]"
            drawn.append((title, plot_shares(in_ms, 1 / pool, label), caption))
    for (protocol, pool), by_repeats in account.by_repeats.items():
        if len(by_repeats) > 1:
            title = f"With how many repeats, {protocol.replace('_', ' ')}"
            caption = (
                f"Sums over windows of one trial, among {pool} candidates. The score above and "
                "the one that runs are of single windows alone."
            )
            figure = plot_shares(by_repeats, 1 / pool, "windows that an answer rests on")
            drawn.append((title, figure, caption))
    yield "Accuracy", drawn
    if account.coverage:
        figure = plot_coverage(account.coverage)
        yield "Sets of candidates", [("Whether sets held the truth", figure, "")]
    if account.latencies.stages:
        figure = plot_latencies(account.latencies)
        yield "Latency", [("Latency by stage", figure, "All decodes of the session.")]
