from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streaming.chain import TRANSFORMS, Chain, standard_chain
from streaming.chain_file import chain_to_yaml, read_chain
from streaming.errors import ConfigError
from streaming.signal import SignalSpec
from tests.pages import block
from tests.streaming.test_chain import EXAMPLES

BEGINNING: list[dict[str, Any]] = [
    {"transform": "pick", "ch_names": ["Cz"]},
    {"transform": "watch"},
    {"transform": "repair"},
]


def written(folder: Path, text: str) -> Path:
    path = folder / "chain.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_printed_is_read_again(tmp_path: Path) -> None:
    chain = standard_chain([f"E{n}" for n in range(20)], 1000.0)
    again = read_chain(written(tmp_path, chain_to_yaml(chain)))
    assert again.to_json() == chain.to_json()


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_every_transform_may_be_in_a_file(name: str, tmp_path: Path) -> None:
    chain = Chain.from_json([*BEGINNING, {"transform": name, **EXAMPLES[name]}])
    text = chain_to_yaml(chain)
    assert read_chain(written(tmp_path, text)).to_json() == chain.to_json()


def test_the_example_in_the_docs_is_a_chain(tmp_path: Path) -> None:
    chain = read_chain(written(tmp_path, block("docs/how-to/chain.md", "chain")))
    names = ("F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "VEOG")
    spec = chain.prepare(SignalSpec(500.0, names, ("eeg",) * 8 + ("eog",)))
    assert (spec.sfreq, spec.ch_names) == (125.0, names[:-1])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: [", r"is no YAML: while parsing"),
        ("transform: pick", "must be a list of transforms"),
        ("- repair", "step 1 of the chain is no transform with settings: 'repair'"),
        ("- {transform: magic}", "step 1 of the chain: transform='magic' is none of align"),
        ("- {transform: repair}", "begins with repair; begin with pick, watch, repair"),
        ("[]", "begins with nothing"),
        ("- {transform: pick, ch_names: Cz}", r"\(pick\): ch_names must be a list of names"),
        ("- {transform: pick, ch_names: [1]}", r"a list of names, got \(1,\)"),
        ("- {transform: pick}", r"\(pick\) needs ch_names"),
        ("- {transform: gate, amplitude: 1e-4}", r"with a point.*1\.0e-4\), got '1e-4'"),
        ("- {transform: gate, amplitude: .inf}", "must be a number"),
        ("- {transform: notch, freq: 50, n_harmonics: 1.5}", "n_harmonics must be a whole"),
        ("- {transform: notch, freq: yes}", "freq must be a number"),
        ("- {transform: notch, frequency: 50}", "no setting 'frequency'; it has freq, width"),
        ("- {transform: bandpass, low: 9, high: 3}", "step 1 of the chain: bandpass needs 0 <"),
    ],
)
def test_what_is_no_chain_is_refused_in_one_line(text: str, match: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=match) as refused:
        read_chain(path)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the chain .*none\.yaml"):
        read_chain(tmp_path / "none.yaml")
