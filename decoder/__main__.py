"""The entry point: what is set before NumPy is loaded, then the commands."""

import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line on one thread and return its exit code.

    Two threads ran up to ten times slower on a shared machine, and sums that depend on the
    number of threads would not verify elsewhere. BLAS reads it once, when it is loaded.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    try:
        from decoder import cli  # which loads NumPy

        return cli.main()
    except KeyboardInterrupt:  # while it was loaded
        return 130


if __name__ == "__main__":
    sys.exit(main())
