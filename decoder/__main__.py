"""`python -P -m decoder` is `braincast`."""

import sys

from decoder.cli import main

sys.exit(main())
