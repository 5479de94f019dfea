"""``python -m vidu_nb`` is the command line."""

import sys

from .commands.cli import main

sys.exit(main())
