"""This process's heap: what is free in it goes back to the system, or is filled before a fork.

For: a replica's own memory. A library reads a file into buffers it frees, and the C library keeps
their pages: of a ResNet of 100 MB that is 180 MiB. And a child owns every page that it writes to,
so what it allocates should lie together, not in the holes of what it shares.
Must not know: models, forks, or when it is a good time.
"""

import ctypes
import gc
import mmap
import sys
import threading

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None  # before any fork
_MADVISE = getattr(_LIBC, "madvise", None)
_PAGE = mmap.PAGESIZE
_ZEROS = bytes(_PAGE)

# CPython takes memory for objects of up to 512 bytes in pools, one for each size.
_POOL = 16 * 1024
_POOL_HEAD = 48
_SIZES = range(16, 512 + 1, 16)
_BYTES_HEAD = sys.getsizeof(b"")
_FILLING_MAX_BYTES = 2 * 1024 * 1024  # of one size: more has no hole that is worth filling
# The C library's: what is not small is split, so largest first.
_BLOCKS = (65536, 32768, 16384, 8192, 4096, 2048, *range(1024, 8, -16))
_RUN = 8
_BLOCKS_MAX_BYTES = 8 * 1024 * 1024
_FILLERS: list[object] = []  # kept for good


def give_back() -> None:
    """Return free pages to the system: a millisecond or a few. glibc can, others need not."""
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)


def collect() -> None:
    """Free what is in nobody's hands but its own, and give it back.

    A model's server is a circle of objects, few and small to Python, which would not look for
    them for a long time: the library's memory behind them is what counts.
    """
    gc.collect()
    give_back()


def level() -> None:
    """Fill the holes between what is allocated, for good: what comes next lies together.

    The C library has a heap of its own for threads; the next thread has that of the last one.
    """
    for size in _SIZES:
        fillers = _fill_pools(size)
        if not fillers:
            break  # PYTHONMALLOC or a debugging build: no pools, so nothing can be levelled
        _FILLERS.append(fillers)
    _fill_blocks()
    thread = threading.Thread(target=_fill_blocks)
    thread.start()
    thread.join()


def forget_zeros(thing: object) -> None:
    """Give back the pages inside one object that hold zeros only; read again, they still do.

    Nobody may be writing to it meanwhile.
    """
    if _MADVISE is None:
        return
    start = id(thing)
    end = start + type(thing).__basicsize__
    for page in range(-(-start // _PAGE) * _PAGE, end - _PAGE + 1, _PAGE):
        if ctypes.string_at(page, _PAGE) == _ZEROS:
            _MADVISE(ctypes.c_void_p(page), ctypes.c_size_t(_PAGE), mmap.MADV_DONTNEED)


def _fill_pools(size: int) -> list[object]:
    """Objects of one size, until a pool was new when its first block was taken, and is full.

    None at all where that does not come to pass: the allocator is not the one known here.
    """
    found: list[object] = []
    blocks = (_POOL - _POOL_HEAD) // size - 4  # a few are this function's own
    pool, taken = 0, 0
    while taken < blocks:
        if len(found) * size > _FILLING_MAX_BYTES:
            return []
        found.append(_of_size(size, len(found)))
        address = id(found[-1])
        if address % _POOL == _POOL_HEAD:
            pool, taken = address - _POOL_HEAD, 0
        taken = taken + 1 if address - address % _POOL == pool else 0
    return found


def _of_size(size: int, number: int) -> object:
    """A new object that is in nobody's cache."""
    if size == 16:
        return object()
    if size == 32:
        return number + 0.5
    return bytes(size - _BYTES_HEAD)


def _fill_blocks() -> None:
    """Allocate until blocks of every size lie one behind the other, as they do in no hole."""
    if _LIBC is None:
        return
    allocate = _LIBC.malloc
    allocate.restype = ctypes.c_void_p
    left = _BLOCKS_MAX_BYTES
    for size in _BLOCKS:
        step = max(size + 8 + 15, 32) // 16 * 16  # with its head, as glibc has it
        expected, run = 0, 0
        while run < _RUN and left > 0:
            address = allocate(ctypes.c_size_t(size)) or 0
            run = run + 1 if address == expected else 0
            expected = address + step
            left -= step
