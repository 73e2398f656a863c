"""Each module has a file of tests of its own name, or another is named that tests it."""

from __future__ import annotations

from tests.pages import ROOT

TOGETHER = {
    "decoder/test_asyncapi": ("decoder/server/documents", "decoder/server/notifications"),
    "decoder/test_assessing": ("decoder/report",),
    "decoder/test_assessment": ("decoder/schema",),
    "decoder/test_controller": ("decoder/server/steering",),
    "decoder/test_doctor": ("decoder/check", "decoder/pace", "streaming/preflight"),
    "decoder/test_guards": ("decoder/problem",),
    "decoder/test_main": ("decoder/__main__",),
    "decoder/test_protocol": ("decoder/server/connection",),
    "decoder/test_resume": ("decoder/start",),
    "decoder/test_rowfile": ("decoder/rowraw",),
    "decoder/test_server": ("decoder/server/app", "decoder/server/backend"),
    "decoder/test_session": ("decoder/pipeline",),
    "decoder/test_session_report": (
        "decoder/session_plots",
        "decoder/session_tables",
        "decoder/session_timeline",
    ),
    "decoder/test_verify": ("decoder/reading",),
    "e2e/test_demo": ("decoder/demo",),
    "e2e/test_supervision": ("decoder/service",),
    "models/test_adapter": ("models/adapter_fit",),
    "models/test_candidates": ("models/candidate_table",),
    "models/test_diffused": ("models/pipeline_files", "models/pipelines"),
    "models/test_early": ("models/stage",),
    "models/test_fit": ("models/heldout",),
    "models/test_network": ("models/simpleconv",),
    "models/test_preview": (
        "models/preview_networks",
        "models/preview_pictures",
        "models/preview_training",
    ),
    "models/test_ridge": ("models/latent",),
    "models/test_things": ("models/epochs",),
    "models/test_training": ("models/mlp",),
    "streaming/test_chain": ("streaming/transform",),
    "streaming/test_faults": ("streaming/sources/injector", "streaming/sources/playable"),
    "streaming/test_fieldtrip": (
        "streaming/fieldtrip_protocol",
        "streaming/sources/fieldtrip_client",
    ),
    "streaming/test_joiner": ("streaming/joined",),
    "streaming/test_link": ("streaming/link_client", "streaming/link_server"),
    "streaming/test_lsl": (
        "streaming/lsl_clock",
        "streaming/lsl_inlet",
        "streaming/lsl_signal",
        "streaming/lsl_streams",
    ),
    "streaming/test_recording": (
        "streaming/errors",
        "streaming/sources/files",
        "streaming/sources/opening",
        "streaming/sources/source",
    ),
    "streaming/test_replay": ("streaming/outlet",),
    "streaming/test_replay_faults": ("streaming/truth",),
    "streaming/test_simulated": (
        "streaming/sources/background",
        "streaming/sources/coloured",
        "streaming/sources/headmodel",
        "streaming/sources/participant",
    ),
    "streaming/test_xdf": ("streaming/sources/xdf_file",),
}
"""What is half of something, or has no behaviour of its own, by the tests of the whole."""


def test_no_module_is_without_tests() -> None:
    without = {
        module.relative_to(ROOT).with_suffix("").as_posix()
        for package in ("decoder", "models", "streaming")
        for module in (ROOT / package).rglob("*.py")
        if module.stem != "__init__"
        and not (ROOT / "tests" / package / f"test_{module.name}").exists()
    }
    named = [module for modules in TOGETHER.values() for module in modules]
    assert without - set(named) == set(), "write tests for them, in files of their names"
    assert set(named) - without == set(), "they have tests of their own, or are no more"
    assert len(named) == len(set(named))
    assert [name for name in TOGETHER if not (ROOT / "tests" / f"{name}.py").exists()] == []
