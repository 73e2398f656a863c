"""Run all benchmarks, or one with its own options: ``python -m benchmarks latency --quick``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

__all__ = ["main", "names"]


def names() -> list[str]:
    """Return the names of the benchmarks: the modules here that do not begin with ``_``."""
    folder = Path(__file__).parent
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


def main(arguments: list[str]) -> int:
    """Run benchmarks one after another.

    Parameters
    ----------
    arguments : list of str
        Name of a benchmark and its options; none for all benchmarks.
    """
    known = names()
    if arguments and arguments[0] not in known:
        print(f"no benchmark {arguments[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    for name in arguments[:1] or known:
        print(f"\n# {name}\n", flush=True)
        sys.argv = [name, *arguments[1:]]
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
