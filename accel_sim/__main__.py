"""``python -m accel_sim``."""

import sys

from accel_sim.shell.cli import main

sys.exit(main())
