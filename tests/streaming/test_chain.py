from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.chain import TRANSFORMS, Chain, standard_chain, with_watch
from streaming.errors import ConfigError
from streaming.resample import Resample, ResampleSettings
from streaming.sections import SETTLED
from streaming.signal import Chunk, SignalSpec
from streaming.transform import Transform
from tests.examples import examples
from tests.laws import cuts, noise, run

SPEC = SignalSpec(250.0, ("EEG Fp1-REF", "Cz", "Pz", "Oz", "trash"))
N_TIMES = 400


def stream() -> list[Chunk]:
    """Three segments: one that was joined late, one after a short gap, one after a long one."""
    data = noise(5, 3 * N_TIMES)
    data[1, 130:140] = np.nan
    data[2, N_TIMES : N_TIMES + 7] = np.inf
    parts = np.split(data, 3, axis=1)
    anchors = (100.0, 103.0, 120.0)
    firsts = (7, 0, 0)
    return [
        Chunk(part, SPEC, number, first, t_anchor)
        for number, (part, first, t_anchor) in enumerate(
            zip(parts, firsts, anchors, strict=True)
        )
    ]


def failing() -> list[Chunk]:
    """One channel without numbers at first, and one that goes flat and comes back."""
    segments = [replace(c, data=c.data.copy()) for c in stream()]
    segments[0].data[3, :300] = np.nan
    segments[2].data[0, 20:300] = 0.01
    return segments


STREAM = stream()
CLEAN = [replace(c, data=np.nan_to_num(c.data, posinf=0.0)) for c in STREAM]

RING = [
    (0.09 * np.cos(a), 0.09 * np.sin(a), z)
    for a, z in ((0.0, 0.0), (1.3, 0.0), (2.5, 0.03), (3.8, 0.0), (5.0, 0.05))
]

EXAMPLES: dict[str, dict[str, object]] = {
    "align": {"every": 0.4},
    "bipolar": {"anodes": ["Cz", "Pz"], "cathodes": ["Oz", "Oz"]},
    "compensate": {
        "ch_names": ["Cz", "Oz"],
        "ref_names": ["Pz", "trash"],
        "weights": [0.1, 0.2, -0.3, 0.4],
    },
    "gate": {"amplitude": 5e-2, "gradient": 1e-2},
    "regress": {"ch_names": ["trash", "Pz"], "every": 0.3},
    "resample": {"sfreq": 156.25},
    "ssp": {"ch_names": ["Cz", "Pz"], "vectors": [0.6, 0.8]},
    "watch": {"positions": [float(x) for place in RING for x in place], "max_bad": 0.2},
    "bandpass": {"low": 1.0, "high": 40.0},
    "clamp": {"limit": 2e-5},
    "decimate": {"sfreq": 50.0},
    "notch": {"freq": 50.0},
    "pick": {"ch_names": ["Oz", "Fp1"]},
    "reference": {"ch_names": ["Cz", "Pz", "Oz"]},
    "repair": {},
    "scale": {"span": 0.7, "every": 0.1, "max_gap": 5.0},
}


def one(name: str) -> Chain:
    return Chain.from_json([{"transform": name, **EXAMPLES[name]}])


def whole() -> Chain:
    order = ("pick", "repair", "reference", "notch", "bandpass", "decimate", "scale", "clamp")
    steps = [{"transform": name, **EXAMPLES[name]} for name in order]
    steps[0]["ch_names"] = ["Oz", "Fp1", "Cz", "Pz"]
    steps[-1]["limit"] = 2.0
    return Chain.from_json(steps)


CHAINS: dict[str, tuple[Callable[[], Transform], list[Chunk]]] = {
    **{name: (partial(one, name), CLEAN) for name in TRANSFORMS},
    "repair": (partial(one, "repair"), STREAM),
    "watch": (lambda: Chain([*one("watch").steps, *one("repair").steps]), failing()),
    "watch, gate": (lambda: Chain([*one("watch").steps, *one("gate").steps]), CLEAN),
    "resample up": (lambda: Chain([Resample(ResampleSettings(sfreq=375.0))]), CLEAN),
    "whole": (whole, STREAM),
    "standard": (lambda: standard_chain(SPEC.ch_names[:4], SPEC.sfreq), STREAM),
}


def test_every_transform_has_an_example() -> None:
    assert set(EXAMPLES) == set(TRANSFORMS)


@pytest.mark.parametrize("name", CHAINS)
@examples(20)
@given(where=cuts(N_TIMES))
def test_cutting_the_stream_changes_nothing(name: str, where: list[int]) -> None:
    make, segments = CHAINS[name]
    for cut, uncut in zip(run(make(), segments, where), run(make(), segments), strict=True):
        cut.assert_equal(uncut)


@pytest.mark.parametrize("name", CHAINS)
def test_samples_one_by_one_change_nothing(name: str) -> None:
    make, segments = CHAINS[name]
    outputs = run(make(), segments, range(1, N_TIMES))
    for cut, uncut in zip(outputs, run(make(), segments), strict=True):
        cut.assert_equal(uncut)


@pytest.mark.parametrize("name", CHAINS)
@examples(20)
@given(now=st.integers(1, N_TIMES - 1))
def test_the_future_does_not_change_the_past(name: str, now: int) -> None:
    make, segments = CHAINS[name]
    for number, segment in enumerate(segments):
        data = segment.data.copy()
        data[:, now:] = 1e3
        other = [*segments[:number], replace(segment, data=data)]
        past, changed = run(make(), segments)[: number + 1], run(make(), other)
        for before, after in zip(past[:-1], changed[:-1], strict=True):
            after.assert_equal(before)
        spec = make().prepare(SPEC)
        n_known = int((segment.first + now) * spec.sfreq / SPEC.sfreq) - past[-1].first
        np.testing.assert_array_equal(changed[-1].data[:, :n_known], past[-1].data[:, :n_known])


@pytest.mark.parametrize("name", CHAINS)
def test_a_prepared_chain_has_forgotten_the_stream_before(name: str) -> None:
    make, segments = CHAINS[name]
    used = make()
    run(used, segments)
    for again, fresh in zip(run(used, segments), run(make(), segments), strict=True):
        again.assert_equal(fresh)


@pytest.mark.parametrize(
    "name", sorted(set(TRANSFORMS) - {"align", "regress", "scale", "watch"})
)
def test_short_memory_ends_with_the_segment(name: str) -> None:
    make, segments = CHAINS[name]
    run(make(), segments)[-1].assert_equal(run(make(), segments[-1:])[0])


@pytest.mark.parametrize("name", CHAINS)
def test_no_output_is_anything_but_a_number(name: str) -> None:
    make, segments = CHAINS[name]
    assert all(np.isfinite(out.data).all() for out in run(make(), segments))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_each_setting_is_of_a_kind_that_is_checked(name: str) -> None:
    for setting in fields(TRANSFORMS[name][0]):
        with pytest.raises(ConfigError, match=f"{setting.name} must be a "):
            Chain.from_json([{"transform": name, setting.name: None}])


def test_a_chain_without_a_watch_gets_one_after_its_pick() -> None:
    steps = [*whole().to_json()[:4], {"transform": "notch", "freq": 60.0}]
    guarded = with_watch(Chain.from_json(steps)).to_json()
    assert [step["transform"] for step in guarded][:3] == ["pick", "watch", "repair"]
    assert guarded[1]["line_freq"] == 50.0  # of the first notch
    assert with_watch(Chain.from_json(guarded)).to_json() == guarded


def test_a_chain_survives_being_written_down() -> None:
    steps = whole().to_json()
    assert [step["transform"] for step in steps][:2] == ["pick", "repair"]
    assert Chain.from_json(steps).to_json() == steps


def test_a_wrong_start_is_gone_when_the_chain_says_so() -> None:
    """All but scale and clamp, which are not linear: 50 mV off at the first sample."""
    spec = SignalSpec(1000.0, ("Cz",))
    chain = Chain(standard_chain(spec.ch_names, spec.sfreq).steps[:-2])
    data = np.full((1, 20_000), 0.05, np.float32)
    data[0, 0] = 0.0
    (out,) = run(chain, [Chunk(data, spec)])
    n_settling = int(np.ceil(chain.settling * 100.0))
    assert np.abs(out.data[0, n_settling:]).max() <= SETTLED * 0.05


def test_settling_is_the_sum_over_the_steps() -> None:
    chain = whole()
    chain.prepare(SPEC)
    assert chain.settling == pytest.approx(sum(step.settling for step in chain.steps))
    assert chain.settling > 0


@pytest.mark.parametrize(
    ("step", "match"),
    [
        ({"transform": "magic"}, r"step 1 .*'magic' is none of align, bandpass"),
        ({"low": 1.0}, "transform=None is none of"),
        (
            {"transform": "clamp", "limits": 1.0},
            r"step 1 .*\(clamp\) has no .*'limits'",
        ),
        ({"transform": "notch"}, r"\(notch\) needs freq"),
        ({"transform": "clamp", "limit": "ten"}, r"\(clamp\): limit must be a number.*'ten'"),
    ],
)
def test_a_step_that_cannot_be_made_is_refused(step: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        Chain.from_json([step])


@pytest.mark.parametrize(
    ("sfreq", "high", "expected"),
    [(250.0, 30.0, 125.0), (1000.0, 30.0, 100.0), (1000.0, 40.0, 125.0), (128.0, 30.0, 128.0)],
)
def test_the_standard_chain_keeps_the_rate_its_band_needs(
    sfreq: float, high: float, expected: float
) -> None:
    spec = SignalSpec(sfreq, ("Cz",))
    assert standard_chain(spec.ch_names, sfreq, high=high).prepare(spec).sfreq == expected


@pytest.mark.parametrize(
    ("n_channels", "sfreq", "ch_types", "has_reference", "has_notch"),
    [
        (16, 250.0, (), True, True),
        (15, 250.0, (), False, True),
        (16, 250.0, ("mag",) * 16, False, True),
        (16, 100.0, (), True, False),
    ],
)
def test_the_standard_chain_leaves_out_what_does_not_fit(
    n_channels: int,
    sfreq: float,
    ch_types: tuple[str, ...],
    has_reference: bool,
    has_notch: bool,
) -> None:
    ch_names = tuple(f"E{n}" for n in range(n_channels))
    steps = standard_chain(ch_names, sfreq, ch_types=ch_types).to_json()
    names = [step["transform"] for step in steps]
    assert ("reference" in names, "notch" in names) == (has_reference, has_notch)
