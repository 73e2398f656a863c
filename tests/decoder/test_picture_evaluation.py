"""Pictures of held-out decodes, from the command to the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from decoder import picture_evaluation
from decoder.assessment import Assessment
from decoder.cli import main
from decoder.fitting import FitSettings, fit_recordings
from models.gallery import TABLE
from tests.decoder.test_evaluating import document, record
from tests.models.pretrained import save_clip

SHOWN = {"down": "navy", "up": "gold"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs in which one of two pictures was shown, and a gallery of the same colours."""
    folder = tmp_path_factory.mktemp("lab")
    for seed in (0, 1):
        record(folder / f"{seed}_raw.fif", seed)
    (folder / "clip").mkdir()
    save_clip(folder / "clip")
    (folder / "gallery").mkdir()
    lines, rows = ["text\tstim_file"], ["marker\trole\tcandidate_id\tstim_file"]
    for name, colour in SHOWN.items():
        pixels = np.asarray(Image.new("RGB", (32, 32), colour)).copy()
        pixels[8:24, 4 : 28 if name == "up" else 12] = 255
        Image.fromarray(pixels).save(folder / f"{name}.png")
        Image.fromarray(pixels).save(folder / "gallery" / f"{name}.png")
        lines.append(f"{name}\t{name}.png")
        rows.append(f"{name}\tstimulus\t{name}\t{name}.png")
    (folder / "gallery" / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "stimuli.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def asked(lab: Path) -> list[str]:
    """Return what is asked with pictures, but for the recordings."""
    space = f"clip:{lab / 'clip'}"
    drawn = ["--pictures", f"retrieve:{lab / 'gallery'}", "--pictures-by", space]
    fit = ["--space", space, "--tmax", "0.6", "--encoder", "ridge"]
    return [*drawn, *fit, "--stimuli", str(lab / "stimuli.tsv")]


@pytest.fixture(scope="module")
def evaluated(lab: Path) -> Path:
    runs = [str(lab / f"{seed}_raw.fif") for seed in (0, 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_evaluation, "N_PICTURED", 12)
        assert main(["evaluate", *runs, *asked(lab), "-o", str(lab / "found")]) == 0
    return lab / "found"


def test_the_document_has_the_scores_of_pictures(evaluated: Path, lab: Path) -> None:
    text = (evaluated / "evaluation.json").read_text(encoding="utf-8")
    TypeAdapter(Assessment).validate_json(text, strict=True)
    pictures: dict[str, Any] = json.loads(text)["pictures"]
    assert pictures["protocol"] == "closed_set"
    assert pictures["generator"] == f"retrieve:{lab / 'gallery'}"
    assert pictures["kind"] == "retrieved"
    assert (pictures["n"], pictures["side"], pictures["pool"]) == (12, 425, 2)
    assert pictures["n_of"] > 100
    decoded, true, prior, _ = pictures["scores"]
    assert decoded["two_way"]["value"] > 0.8
    assert true["pix_corr"]["value"] == pytest.approx(1, abs=1e-5)
    assert decoded["ssim"]["value"] > prior["ssim"]["value"]


def test_the_page_shows_the_sheet(evaluated: Path) -> None:
    page = (evaluated / "report.html").read_text(encoding="utf-8")
    assert "prior only" in page
    assert "12 of " in page
    assert 'src="data:image/png;base64,' in page
    with Image.open(evaluated / "pictures.png") as sheet:
        assert sheet.size == (96 + 8 * 100, 2 * (18 + 4 * 100 + 12))


def test_where_no_picture_is_known_nothing_is_computed(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = lab / "words.tsv"
    table.write_text(
        "marker\trole\tcandidate_id\nup\tstimulus\tup\ndown\tstimulus\tdown\n", encoding="utf-8"
    )
    command = ["evaluate", str(lab / "0_raw.fif"), "--stimuli", str(table), "--space", "labels"]
    out = ["-o", str(lab / "none")]
    assert main([*command, *out, "--pictures", f"retrieve:{lab / 'gallery'}"]) != 0
    assert "nothing to compare pictures with" in capsys.readouterr().err
    assert not (lab / "none").exists()
    assert main([*command, *out, "--pictures-by", "efficientnet", "--pictures-on", "cuda"]) != 0
    assert "name a generator with --pictures" in capsys.readouterr().err


def test_a_fitted_model_is_tested_with_pictures(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not know where its pictures are, which is asked for."""
    monkeypatch.setattr(picture_evaluation, "N_PICTURED", 6)
    settings = FitSettings(
        stimuli=lab / "stimuli.tsv", space=f"clip:{lab / 'clip'}", tmax=0.6, encoder="ridge"
    )
    fit_recordings([lab / "0_raw.fif"], lab / "model", settings)
    model, out = str(lab / "model"), str(lab / "later")
    later = ["evaluate", str(lab / "1_raw.fif"), "--model", model, "-o", out, *asked(lab)[:4]]
    assert main(later) != 0
    assert "--pictures-from" in capsys.readouterr().err
    assert main([*later, "--pictures-from", str(lab)]) == 0
    found = document(Path(out))["pictures"]
    assert found["n"] == 6
    assert found["scores"][0]["two_way"]["value"] > 0.6
