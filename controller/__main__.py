"""Run one controller alone, on a cluster: `python -m controller --kubeconfig FILE`.

For: starting the process; what it is made of stands in `process`.
Must not know: flags, or how anything works.
"""

import sys

from controller.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
