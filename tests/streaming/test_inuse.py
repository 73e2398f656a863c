from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from streaming.inuse import hold, is_held


def test_a_file_is_held_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert not is_held(path)
    with path.open("ab", buffering=0) as one, path.open("ab", buffering=0) as other:
        assert not is_held(path)
        hold(one)
        hold(other)
        assert is_held(path)
        one.close()
        assert is_held(path)
    assert not is_held(path)


def test_the_end_of_a_process_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "log"
    code = (
        "import sys; from pathlib import Path; from streaming.inuse import hold\n"
        "file = Path(sys.argv[1]).open('ab', buffering=0); hold(file)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert is_held(path)
        child.kill()
    assert not is_held(path)
