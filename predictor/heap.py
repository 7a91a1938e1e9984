"""Give back what loading a model left free in this process's heap.

For: a replica's own memory: a library reads a file into buffers it frees, and the C library
keeps their pages. Of a ResNet of 100 MB that is 180 MiB.
Must not know: models, or when it is a good time.
"""

import ctypes
import sys

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork


def give_back() -> None:
    """Return free pages to the system: a millisecond or a few. glibc can, others need not."""
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)
