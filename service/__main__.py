"""`python -m service` is the same as `ideapool`."""

import sys

from service.cli.main import main

sys.exit(main())
