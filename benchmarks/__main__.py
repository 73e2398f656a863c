"""Run all benchmarks, or those that are named: ``python -m benchmarks latency --quick``."""

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
    """Run benchmarks one after another; options go to each of them.

    Parameters
    ----------
    arguments : list of str
        Names of benchmarks, none for all, then options.
    """
    known = names()
    wanted = [a for a in arguments if not a.startswith("-")]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    options = [a for a in arguments if a.startswith("-")]
    for name in wanted or known:
        print(f"\n# {name}\n", flush=True)
        sys.argv = [name, *options]
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
