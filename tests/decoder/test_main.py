from __future__ import annotations

import os
import subprocess
import sys

INTERRUPTED = """
import builtins, sys
from decoder.__main__ import main
load = builtins.__import__
def interrupted(name, *rest):
    if name == "typer":
        raise KeyboardInterrupt
    return load(name, *rest)
builtins.__import__ = interrupted
sys.exit(main())
"""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

COUNT_THREADS = """
import sys
from decoder.__main__ import main
sys.argv = ["braincast", "--help"]
main()
import numpy, scipy.linalg, threadpoolctl
print("threads", *(pool["num_threads"] for pool in threadpoolctl.threadpool_info()))
"""


def test_every_command_computes_on_one_thread() -> None:
    environ = {name: value for name, value in os.environ.items() if name not in THREADS}
    done = subprocess.run(
        [sys.executable, "-c", COUNT_THREADS],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environ,
    )
    _, *counts = done.stdout.splitlines()[-1].split()
    assert set(counts) == {"1"}


def test_it_says_what_it_can_do() -> None:
    command = [sys.executable, "-P", "-m", "decoder"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "fit" in done.stdout


def test_ctrl_c_while_it_loads_is_no_traceback() -> None:
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
