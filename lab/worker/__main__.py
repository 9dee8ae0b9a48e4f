"""`python -m lab.worker <folder of a run>`"""

import sys

from lab.worker import main

sys.exit(main(sys.argv[-1]))
