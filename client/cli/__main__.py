"""`python -m client.cli` is `counterfoil`."""

import sys

from client.cli.main import main

sys.exit(main())
