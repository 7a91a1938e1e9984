"""Run one autoscaler alone, on a cluster: `python -m autoscaler --kubeconfig FILE`.

For: starting the process; what it is made of stands in `process`.
Must not know: flags, or how anything works.
"""

import sys

from autoscaler.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
