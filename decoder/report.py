"""The page that an experimenter can send to a colleague."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from decoder import plots
from decoder.assessment import Assessment
from decoder.markup import (
    add_figure,
    block,
    cards,
    new_report,
    picture,
    save,
    sentence,
    table,
    warnings,
)
from decoder.patterns import Pattern
from decoder.picture_scores import Pictures
from decoder.resampling import Score
from decoder.scalp import plot_maps
from decoder.tables import lines_of, picture_lines
from models.checkpoint import NON_CAUSAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_report"]

_COLOURS = {
    "above chance": ("#e7f5ec", "#17633a"),
    "not above chance": ("#eef0f3", "#374151"),
    "cannot be told": ("#fdf1e3", "#8a4b08"),
}

_PROTOCOLS = {
    "closed_set": "closed set: what is decoded was seen in calibration, in other runs. Not to "
    "be compared with zero-shot scores.",
    "zero_shot": "zero-shot: no concept that is decoded was seen in calibration, and it is "
    "found among others that were not. Not to be compared with closed-set scores.",
}

_OTHERS = "Temperatures come from the other runs. "


def write_report(assessment: Assessment, path: Path) -> None:
    """Write a report as one HTML file that needs no other.

    Parameters
    ----------
    assessment : Assessment
        What was found.
    path : Path
        The file; replaced if it is there.
    """
    report = new_report("How well can it be decoded?")
    report.add_html(_glance(assessment), "At a glance", tags=("scores",))
    for title, figure, caption in _figures(assessment):
        add_figure(report, title, figure, caption)
    if assessment.coverage or assessment.latencies:
        title = "Sets, and how soon it can be read"
        report.add_html(_promises(assessment), title, tags=("sets",))
    if assessment.pictures is not None:
        sheet = path.parent / assessment.pictures.sheet
        report.add_html(_pictures(assessment.pictures, sheet), "Pictures", tags=("pictures",))
    report.add_html(_methods(assessment), "How this was made", tags=("methods",))
    save(report, path)


def _glance(a: Assessment) -> str:
    """Return what matters most."""
    e = a.scores
    back, front = _COLOURS[a.verdict]
    name = plots.statistic_of(a)
    says = {
        "above chance": "What was shown can be read from these recordings.",
        "not above chance": "These recordings do not show that anything can be decoded.",
        "cannot be told": "The score below may have another cause than the brain's response.",
    }[a.verdict]
    tested = ""
    if a.setup.model:
        tested = (
            f"<p>A model that was fitted to other recordings ({a.setup.model[:12]}), tested as "
            "it is.</p>"
        )
    p = "none" if e.p_value is None else f"{e.p_value:.4f}"
    boxes = [
        (f"{e.main.value:.3f}", f"{name}, chance {e.main.chance:.3f}"),
        (f"{e.main.low:.3f} to {e.main.high:.3f}", "95 % interval"),
        (p, "p (permutations)"),
        (f"{e.n}", f"single trials in {_runs(a)}"),
        (f"{e.pool}", "candidates to choose from"),
    ]
    return block(
        f'<div class="verdict" style="background:{back};color:{front}">',
        f"<b>{sentence(a.verdict)}</b>{says}</div>",
        cards(boxes),
        tested,
        warnings(a.warnings),
        f"<p>{sentence(_PROTOCOLS[e.protocol])}</p>",
        table(("single trials", "value", "95 % interval", "chance"), lines_of(e)),
        "<p>Chance: what the same answers get when what was shown is exchanged within runs. "
        "The majority: who always answers what was shown most often.</p>",
    )


def _runs(a: Assessment) -> str:
    """Return of how many runs, or parts of one recording, trials are."""
    n = a.scores.n_groups
    if not a.setup.transforms:  # epochs that others cut
        return f"{n} parts"
    if len(a.setup.recordings) == 1 and n > 1:
        return f"{n} parts of one recording"
    return "1 run" if n == 1 else f"{n} runs"


def _figures(a: Assessment) -> Iterator[tuple[str, Figure, str]]:
    """Yield titles, figures, and what each says."""
    yield (
        "Beside what cannot know",
        plots.plot_controls(a),
        "What each control saw is under How this was made. Each has its own chance, by what it "
        "answers and how often that was shown. One in red is not at chance: then a score that "
        "is no better proves nothing about the brain.",
    )
    if len(a.time_course) > 1:
        yield (
            "When it can be read",
            plots.plot_time_course(a),
            "A ridge on 40 ms at a time. Red: above chance, false discovery rate 5 % over all "
            "times. The shade is the 95 % interval of each.",
        )
    if len(a.averaging) > 1:
        yield (
            "Averages of repeats",
            plots.plot_averaging(a),
            "What several trials of the same thing would give together. A live decode is a "
            "single trial.",
        )
    if len(a.learning) > 1:
        yield (
            "Minutes of calibration",
            plots.plot_learning(a),
            "Models fitted to the first minutes only, tested on the same trials."
            + (
                " Grey, with its 95 % interval: the same without the older model."
                if a.anew
                else ""
            ),
        )
    if a.pattern is not None:
        yield from _patterns(a.pattern)
    yield (
        "Whether probabilities hold",
        plots.plot_calibration(a),
        f"Expected calibration error {a.calibration.error:.3f}. Bars: one standard error. "
        + ("The temperature is the model's. " if a.setup.model else _OTHERS)
        + "Probabilities belong to this model and these candidates.",
    )


def _patterns(pattern: Pattern) -> Iterator[tuple[str, Figure, str]]:
    """Yield the figures of where the signal goes with the decoder's output."""
    caption = (
        f"{sentence(pattern.contrast)}: by how much the signal rises with the decoder's "
        "output (Haufe et al. 2014), which shows where information lies; a decoder's weights "
        "do not."
    )
    few = " With so few sensors, read the colours only where the dots are."
    for name, figure in plot_maps(pattern).items():
        more = " The size of the gradient has no sign." if name == "planar gradiometers" else ""
        more += few if len(pattern.ch_names) < 16 else ""
        yield f"Patterns on the scalp: {name}", figure, caption + more
    yield "Patterns of channels", plots.plot_channels(pattern), f"A line a channel. {caption}"


def _promises(a: Assessment) -> str:
    """Return how far sets hold, and what each latency is worth."""
    parts = []
    if a.coverage:
        rows = [
            (
                f"{1 - c.risk:.0%}",
                f"{c.coverage:.1%}",
                f"{c.low:.1%} to {c.high:.1%}",
                f"{c.set_size:.1f}",
                f"{c.n}",
            )
            for c in a.coverage
        ]
        head = ("promised", "measured", "95 % interval", "candidates in a set", "trials")
        whose = "the model's own" if a.setup.model else "calibrated on the other runs"
        parts += [
            f"<p>Conformal sets, {whose}: how many hold the truth, on average over trials, if "
            "runs are exchangeable.</p>",
            table(head, rows),
        ]
    if a.latencies:
        name = plots.statistic_of(a)
        scores = [
            (f"{1000 * p.latency:.0f} ms", _interval(p.top1), _interval(p.main))
            for p in a.latencies
        ]
        parts += [
            "<p>Windows that end so long after the stimulus, an encoder for each.</p>",
            table(("latency", "top-1", name), scores),
        ]
    return block(*parts)


def _pictures(p: Pictures, sheet: Path) -> str:
    """Return how good pictures of decodes are, and what they look like."""
    rows = [
        (line[0], row.what, *line[1:])
        for line, row in zip(picture_lines(p), (*p.scores, p.beyond_prior), strict=True)
    ]
    return block(
        f"<p>{sentence(_PROTOCOLS[p.protocol])}</p>",
        f"<p>Pictures {p.kind} by {escape(p.generator)} from single trials: {p.n} of {p.n_of}, "
        f"of {p.n_groups} runs, drawn by lot before any was made. None was chosen for its "
        "looks.</p>",
        table(("pictures", "made of", "PixCorr", "SSIM", "two-way"), rows),
        "<p>Value [95 % interval] / chance: what the same pictures get beside what was shown "
        "in other trials of the run. Pictures of no latent (prior only) are already like what "
        "was shown, by PixCorr and SSIM above all; only what lies beyond them tells of the "
        "brain. Two-way: "
        f"among {p.pool} pictures, by {escape(p.space)}. PixCorr and SSIM at {p.side} pixels; "
        f"bootstrap over {p.clusters}.</p>",
        picture(
            sheet.read_bytes(), "seen, decoded, true latent and prior only, trial by trial"
        ),
        "<p>The first trials that were drawn: what was seen, the picture of the decode, of the "
        "latent that a perfect decoder would give, and of no latent.</p>",
    )


def _interval(score: Score) -> str:
    """Return a score with its interval."""
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def _methods(a: Assessment) -> str:
    """Return all that another lab needs to know."""
    s, e = a.setup, a.scores
    begins = "the start of a stretch" if s.space.startswith("track:") else "the stimulus"
    rows = [
        ("recordings", ", ".join(s.recordings)),
        ("candidates", ", ".join(s.candidates[:20]) + (" ..." if e.pool > 20 else "")),
        ("embedding space", s.space),
        ("encoder", _encoder(a)),
        ("channels", f"{len(s.ch_names)}: " + ", ".join(s.ch_names[:32])),
        ("left out", ", ".join(f"{k} ({v})" for k, v in s.dropped.items()) or "none"),
        ("window", f"{s.tmin:g} to {s.tmax:g} s after {begins}, at {s.sfreq:g} Hz"),
        ("chain (causal; checked on these samples)", _chain(a))
        if s.transforms
        else ("chain", f"none: {NON_CAUSAL}, which others filtered"),
        ("delay, settling", f"{1000 * s.delay:.0f} ms at 10 Hz, {s.settling:.1f} s"),
        ("split", _split(a)),
        *((f"control: {c.name}", c.what) for c in a.controls),
        ("order of stimuli", _order(a)),
        (
            "p",
            f"{e.n_permutations} {e.permutation}" if e.p_value is not None else e.permutation,
        ),
        (
            "interval",
            f"bootstrap over {e.clusters}"
            + ("" if s.model else ", widened for shared training"),
        ),
        *((f"not here: {what}", why) for what, why in a.left_out.items()),
        ("stimulus files", e.stimulus_files),
        ("most frequent answer", f"{s.candidates[e.modal_answer]}: {e.modal_share:.0%}"),
        ("noise ceiling", _ceiling(a)),
        ("withheld windows", ", ".join(f"{n} {k}" for k, n in s.withheld.items()) or "none"),
        ("braincast", a.software),
    ]
    return block(
        table(("what", "how"), rows),
        "<p>All numbers of this page are in evaluation.json beside it.</p>",
    )


def _encoder(a: Assessment) -> str:
    """Return what predicted, and in how many folds."""
    counts = Counter(a.setup.chosen)
    if a.setup.encoder != "auto":
        return a.setup.encoder
    chosen = ", ".join(f"{name} in {n}" for name, n in counts.most_common())
    return f"chosen within the training runs of each fold: {chosen}"


def _order(a: Assessment) -> str:
    """Return how the order was told from others, and whether it came back."""
    if a.order.kind == "random":
        how = f"nothing speaks against random (smallest p of three ways: {a.order.p_value:.4f})"
    else:
        how = f"{a.order.kind} (p = {a.order.p_value:.4f} if it were random)"
    return how + ("; the same in all recordings" if a.order.repeated else "")


def _split(a: Assessment) -> str:
    """Return what predicted what."""
    if a.setup.model:
        return (
            f"none: model {a.setup.model[:12]}, fitted to other recordings, is tested as it is"
        )
    if len(a.setup.chosen) == 1:
        return "what the table of stimuli keeps for a test is tested, in runs of its own"
    left_out = "run" if len(a.setup.recordings) > 1 else "part of the recording"
    return f"leave one {left_out} out; {a.setup.n_purged} neighbouring trials purged"


def _chain(a: Assessment) -> str:
    """Return the steps with what matters of their settings."""
    steps = []
    for step in a.setup.transforms:
        values = [
            f"{k} {v:g}"
            for k, v in step.items()
            if isinstance(v, int | float) and not isinstance(v, bool)
        ]
        steps.append(step["transform"] + (f" ({', '.join(values)})" if values else ""))
    return " → ".join(steps)


def _ceiling(a: Assessment) -> str:
    """Return what of the response comes back."""
    c = a.ceiling
    if c is None:
        return "too little recurs to tell"
    return (
        f"split-half r = {c.split_half:.2f} over halves of the {c.halves}, reliability of all "
        f"{c.n_trials} trials {c.reliability:.2f} (Spearman-Brown), ceiling of a correlation "
        f"with the average response {c.ceiling:.2f}"
    )
