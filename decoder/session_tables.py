"""What a session's report says in words and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from decoder.account import VERDICTS, Account, Channels, Coverage
from decoder.markup import block, cards, table, warnings
from decoder.score import wilson

__all__ = ["glance", "happened", "made", "tables"]

_PROTOCOLS = {
    "closed_set": "closed set (what was shown was seen in calibration)",
    "zero_shot": "zero-shot (what was shown was never seen in calibration)",
}

_MOST = 200
"""Rows of a table of what happened."""

_OFTEN = 0.2
"""Share of the session for which a channel must be bad to be named at the top."""


def glance(account: Account, verified: str) -> str:
    """Return what matters most."""
    a = account
    n_windows, n_decoded = len(a.windows.t), a.windows.count("decoded")
    lost = sum(loss.duration for loss in a.losses if loss.reason != "revised")
    boxes = list(_accuracies(a))
    boxes += [
        (f"{one.p:.2g}", f"anytime-valid p, {one.protocol.replace('_', ' ')}, {one.n} trials")
        for one in a.evidence
        if not one.reason
    ]
    boxes += [
        (_long(a.duration), "from the first event to the last"),
        (f"{n_decoded}", f"windows decoded of {n_windows}"),
        (f"{lost:.3g} s", "of signal lost or not decoded"),
    ]
    if (total := a.latencies.stages.get("total")) is not None and not np.isnan(total).all():
        p50, p95 = np.nanpercentile(total, [50, 95])
        since = "electrode" if "device" in a.latencies.stages else "LSL timestamp"
        boxes.append((f"{p50:.3g} / {p95:.3g} ms", f"p50 / p95 from the {since} to the decode"))
    participant = (
        "<p>The participant is simulated.</p>" if a.config.simulated is not None else ""
    )
    about = (
        "<p>Top-1: how often what was shown came first of all candidates, with its 95 % "
        "interval (Wilson). Decodes of the two protocols are never put together.</p>"
    )
    return block(cards(boxes), participant, warnings(_warnings(a, verified)), about)


def _accuracies(account: Account) -> Iterator[tuple[str, str]]:
    """Yield top-1 over the whole session, for each protocol."""
    for protocol in _PROTOCOLS:
        scores = [score for score in account.scores if score.protocol == protocol]
        n = sum(len(score.rank) for score in scores)
        if not n:
            continue
        hits = sum(score.hits for score in scores)
        chance = sum(len(score.rank) / score.pool for score in scores) / n
        low, high = wilson(hits, n)
        name = protocol.replace("_", " ")
        yield (
            f"{hits / n:.1%}",
            f"top-1, {name}: {hits} of {n}, {low:.0%} to {high:.0%}, chance {chance:.2%}",
        )


def _warnings(account: Account, verified: str) -> Iterator[str]:
    """Yield what a reader must not miss."""
    a = account
    counts = Counter((one.what, one.state) for one in a.happened)
    names = ", ".join(repr(name) for name, _ in a.unknown.most_common(5))
    unknown = f" ({names})" if names else ""
    numbered = {
        "restarts of decoding, after each of which filters had to settle": a.n_decoders - 1,
        "alarms that the signal drifted from what was fitted to": counts["drift", "alarm"],
        "times that recording failed, the disk taking no more": counts["recorder", "failed"],
        "decodes that came too late, and are in no score": a.windows.count("stale"),
        "markers that came too late, their signal gone": a.windows.count("late"),
        f"markers that the table of stimuli does not list{unknown}": a.unknown.total(),
        "decodes with probabilities that were not calibrated": a.uncalibrated,
    }
    if a.ending == "cut short":
        yield "the session was cut short, as by a crash; this is what it left"
    if not verified.startswith("yes"):
        yield f"verified: {verified}"
    yield from (f"{what}: {n}" for what, n in numbered.items() if n > 0)
    if a.channels is not None:
        shares = zip(a.channels.ch_names, _shares(a.channels), strict=True)
        bad = [name for name, (good, *_) in shares if good < 1 - _OFTEN]
        if bad:
            yield f"channels that were not good for a fifth of the session: {', '.join(bad)}"


def happened(account: Account) -> str:
    """Return what people did and what changed, in order; numbers are those of the figure."""
    rows = [
        (str(n), _clock(one.t), one.what, one.state, one.detail)
        for n, one in enumerate(account.happened[:_MOST], 1)
    ]
    more = len(account.happened) - len(rows)
    end = f"<p>And {more} more, in events.jsonl.</p>" if more > 0 else ""
    return block(table(("", "at", "what", "", "detail"), rows, numbers=(0, 1)), end)


def tables(account: Account) -> Iterator[tuple[str, str]]:
    """Yield title and text of each table that has something to say."""
    a = account
    yield "Accuracy", _accuracy(a)
    yield "Evidence", _evidence(a)
    if a.coverage:
        yield "Sets of candidates", _coverage(a.coverage)
    yield "Windows and markers", _windows(a)
    if a.latencies.stages:
        yield "Latency", _latency(a)
    if a.channels is not None:
        yield "Channels", _channels(a.channels)
    if a.losses:
        yield "Lost signal", _losses(a)


def _accuracy(account: Account) -> str:
    if not account.scores:
        return block("<p>No decode has a truth: no marker said what was shown.</p>")
    header = ("from", "to", "model", "choice", "of", "n", "top-1", "95 %", "chance", "top-5")
    parts = []
    for protocol, name in _PROTOCOLS.items():
        rows = []
        for score in (score for score in account.scores if score.protocol == protocol):
            n, pool = len(score.rank), score.pool
            low, high = wilson(score.hits, n)
            rows.append(
                (
                    _clock(score.t[0]),
                    _clock(score.t[-1]),
                    score.model_id[:8],
                    f"version {score.version}",
                    f"{pool}",
                    f"{n}",
                    f"{score.hits / n:.1%}",
                    f"{low:.1%} to {high:.1%}",
                    f"{1 / pool:.2%}",
                    f"{np.mean(score.rank <= 5):.1%}" if pool > 5 else "",
                )
            )
        if rows:
            parts.append(f"<p>{name.capitalize()}</p>")
            parts.append(table(header, rows, numbers=(0, 1, *range(4, 10))))
    most, total = max(account.decoded.values()), account.decoded.total()
    parts.append(
        "<p>A score begins anew with each other model or choice of candidates. Abstentions and "
        f"stale decodes are in none. The most frequent answer is {most / total:.1%} of {total} "
        "decodes: </p>"
    )
    return block(*parts, table(("answer", "times"), _top(account.decoded, 5), numbers=(1,)))


def _evidence(account: Account) -> str:
    if not account.evidence:
        return block(
            "<p>Unavailable: nothing was bet on in this session. Evidence needs the "
            "randomisation by which stimuli were drawn, declared before it began.</p>"
        )
    rows = []
    for one in account.evidence:
        last = f"{one.log10_e[-1]:.2f}" if len(one.log10_e) else ""
        most = f"{one.log10_e.max():.2f}" if len(one.log10_e) else ""
        said = f"unavailable: {one.reason}" if one.reason else f"p = {one.p:.3g}"
        said += f"; {one.warning}" if one.warning else ""
        rows.append(
            (_PROTOCOLS.get(one.protocol, "any"), one.design, f"{one.n}", last, most, said)
        )
    header = ("protocol", "design", "trials", "log10 e", "its maximum", "")
    return block(
        table(header, rows, numbers=(2, 3, 4)),
        "<p>e is what a bet against chance has made of 1; under the declared randomisation it "
        "ever reaches 1/alpha in at most a share alpha of sessions, whenever one looks.</p>",
    )


def _coverage(coverage: Iterable[Coverage]) -> str:
    rows = []
    for said in coverage:
        n, held = len(said.held), int(said.held.sum())
        low, high = wilson(held, n)
        rows.append(
            (
                said.protocol.replace("_", " "),
                f"{said.pool}",
                f"{n}",
                f"{1 - said.risk:.1%}",
                f"{held / n:.1%}",
                f"{low:.1%} to {high:.1%}",
                f"{said.size.mean():.1f}",
            )
        )
    header = ("protocol", "of", "n", "promised", "held", "95 %", "mean size")
    return block(
        table(header, rows, numbers=range(1, 7)),
        "<p>What is promised holds on average over sessions like those of calibration "
        "(marginal, under exchangeability of runs), and not for each stimulus. Sets of decodes "
        "withheld as unsure count.</p>",
    )


def _windows(account: Account) -> str:
    outcomes = Counter({name: account.windows.count(name) for name in account.windows.outcomes})
    parts = [table(("window", "times"), _top(outcomes, 20), numbers=(1,))]
    if account.roles:
        parts.append(table(("marker", "times"), _top(account.roles, 20), numbers=(1,)))
    if account.unknown:
        rows = _top(account.unknown, 20)
        parts.append(table(("marker that no table lists", "times"), rows, numbers=(1,)))
    return block(*parts)


def _latency(account: Account) -> str:
    rows = []
    for name, values in account.latencies.stages.items():
        known = values[~np.isnan(values)]
        if len(known):
            p50, p95, p99 = np.percentile(known, [50, 95, 99])
            rows.append((name, f"{len(known)}", f"{p50:.2f}", f"{p95:.2f}", f"{p99:.2f}"))
    header = ("stage", "decodes", "p50 [ms]", "p95 [ms]", "p99 [ms]")
    return block(table(header, rows, numbers=range(1, 5)))


def _shares(channels: Channels) -> list[list[float]]:
    """Return which share of the reports on each channel said which of `VERDICTS`."""
    return [
        [float(np.mean(row[row >= 0] == n)) for n in range(len(VERDICTS))]
        for row in channels.verdicts
    ]


def _channels(channels: Channels) -> str:
    shares = _shares(channels)
    order = sorted(range(len(shares)), key=lambda n: shares[n][0])
    bad = [n for n in order if shares[n][0] < 1 or channels.interpolated[n].any()]
    rows = [
        (
            channels.ch_names[n],
            *(f"{share:.0%}" if share else "" for share in shares[n]),
            f"{channels.interpolated[n].mean():.0%}" if channels.interpolated[n].any() else "",
        )
        for n in bad
    ]
    good = len(shares) - len(bad)
    parts = [f"<p>{good} of {len(shares)} channels were good all the time.</p>"]
    if rows:
        header = ("channel", *VERDICTS, "interpolated")
        parts.append(table(header, rows, numbers=range(1, len(header))))
    if channels.refused.any():
        share = channels.refused.mean()
        parts.append(
            f"<p>For {share:.1%} of the time more were bad than can be interpolated.</p>"
        )
    return block(*parts)


def _losses(account: Account) -> str:
    rows = [(_clock(loss.t), loss.reason, loss.detail) for loss in account.losses[:_MOST]]
    sums: dict[str, list[float]] = {}
    for loss in account.losses:
        sums.setdefault(loss.reason, []).append(loss.duration)
    summed = [(reason, f"{len(d)}", f"{sum(d):.3f}") for reason, d in sums.items()]
    return block(
        table(("reason", "times", "seconds"), summed, numbers=(1, 2)),
        table(("at", "reason", "detail"), rows, numbers=(0,)),
    )


def made(account: Account, verified: str) -> str:
    """Return who, when, with what and on what."""
    a, manifest, config = account, account.manifest, account.config
    signal, machine = manifest["signal"], manifest["machine"]
    labels = {k: v for k, v in manifest["bids"].items() if v is not None}
    n_channels = len(signal["ch_names"])
    refused = a.clients[""]
    came = ", ".join(f"{role} {n}" for role, n in a.clients.items() if role) or "none"
    rows = [
        ("session", a.session_id),
        ("began", manifest["started"]),
        ("who", ", ".join(f"{k} {v}" for k, v in labels.items())),
        ("signal", f"{manifest['source']}: {n_channels} channels at {signal['sfreq']:g} Hz"),
        ("decoded", f"{a.n_times} samples, {a.n_times / signal['sfreq'] / 60:.1f} min"),
        ("recordings", f"{1 + len(a.recordings)}"),
        ("ended", a.ending),
        ("verified", verified),
        ("models", ", ".join(f"{m.name} ({m.id[:16]})" for m in config.session.models)),
        ("stale after", f"{config.session.freshness:g} s"),
        ("timing", _timing(manifest)),
        ("clients that came", came + (f"; not let in {refused}" if refused else "")),
        ("braincast", manifest["packages"]["braincast"]),
        ("versions", f"Python {manifest['python']}, " + _pairs(manifest["packages"])),
        ("machine", ", ".join(value for value in machine.values() if value)),
    ]
    return block(table(("what", "how"), rows))


def _timing(manifest: Mapping[str, Any]) -> str:
    timing = manifest.get("timing")
    return _pairs(timing) if isinstance(timing, dict) else "markers and latency as they came"


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {v}" for k, v in values.items() if k != "braincast")


def _top(counts: Counter[str], n: int) -> list[tuple[str, str]]:
    return [(name, f"{times}") for name, times in counts.most_common(n)]


def _clock(t: float) -> str:
    """Return seconds as people read them.

    >>> _clock(3725.4)
    '1:02:05'
    """
    minutes, seconds = divmod(int(max(t, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _long(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
