"""How a running service does, as its log and the system say."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["cpu_of", "latency_in", "memory_of", "percentiles"]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the middle of values, those that 95 and 99 % are below, and the largest."""
    found = (
        np.percentile(np.asarray(values), [50, 95, 99, 100]) if len(values) else [np.nan] * 4
    )
    return {name: float(v) for name, v in zip(("p50", "p95", "p99", "max"), found, strict=True)}


def latency_in(log: Path, t_first: float, t_last: float) -> dict[str, dict[str, float]]:
    """Return what the service says of its decodes between two instants."""
    stages: dict[str, list[float]] = {}
    for line in log.read_text().splitlines():
        message = json.loads(line)
        params = message["params"]
        if message["method"] != "text" or not t_first <= params["t_emit"] <= t_last:
            continue
        for stage, value in params["latency_ms"].items():
            stages.setdefault(stage, []).append(value)
    return {stage: percentiles(values) for stage, values in stages.items()}


def memory_of(pid: int) -> float:
    """Return what a process holds in memory, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def cpu_of(pid: int) -> float:
    """Return how long a process has computed, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
