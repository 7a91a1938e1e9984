"""Which variant of a model is kept, what is written of it, and what must go."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import prepared
from predictor.prepared import (
    ENTRY,
    GRAPH,
    WEIGHTS,
    Choice,
    Entry,
    EntryError,
    File,
    Kept,
    Measure,
    Variant,
    choose,
    evictions,
)

PLAIN, PACKED, SAVED, UNPACKED = Variant


def cost(load: float, run: float, private: float, resident: float | None = None) -> Measure:
    resident_mib = 100.0 if resident is None else resident
    return Measure(load_ms=load, run_ms=run, private_mib=private, resident_mib=resident_mib)


def chosen(**measured: Measure) -> Choice:
    return choose({Variant(name): measure for name, measure in measured.items()})


KEY = {"digest": "sha256:a", "runtime": "1.32.0", "provider": "CPU", "processor": "f"}


@pytest.mark.parametrize("name", sorted(KEY))
def test_a_change_in_anything_is_another_entry(name: str) -> None:
    assert prepared.key(**KEY) == prepared.key(**KEY)
    assert prepared.key(**KEY) != prepared.key(**{**KEY, name: "other"})


def test_least_milliseconds_and_mebibytes_win() -> None:
    # Measured: a MiniLM of 8 bits.
    plain = cost(189, 4.6, 152)
    assert chosen(plain=plain, packed=cost(50, 4.6, 45), saved=cost(35, 4.7, 6)).variant is SAVED
    assert chosen(plain=plain, packed=cost(20, 4.6, 6), saved=cost(35, 4.6, 6)).variant is PACKED


def test_unpacked_weights_must_halve_the_cost() -> None:
    plain, packed = cost(306, 57, 280), cost(13, 57, 23)
    assert chosen(plain=plain, packed=packed, unpacked=cost(6, 57, 16)).variant is PACKED
    assert chosen(plain=plain, packed=packed, unpacked=cost(2, 57, 1)).variant is UNPACKED
    assert chosen(plain=plain, unpacked=cost(6, 57, 16)).variant is UNPACKED


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (cost(10, 5.5, 10), "packed runs slower (load 10 ms, run 5.5 ms, own 10 MiB)"),
        (cost(10, 5.0, 10, 130), "packed is larger in memory"),
        (cost(201, 5.0, 10), "packed loads slower"),
        (cost(10, 5.0, 102), "packed takes more private memory"),
        (cost(190, 5.0, 90), "packed gains too little"),
    ],
)
def test_a_variant_that_is_worse_in_anything_is_not_kept(other: Measure, why: str) -> None:
    choice = chosen(plain=cost(200, 5.0, 100), packed=other)
    assert choice.variant is PLAIN
    assert choice.reason.startswith("plain is better (load 200 ms, run 5.0 ms, own 100 MiB): ")
    assert why in choice.reason


def test_where_no_variant_answers_alike_the_plain_one_stays() -> None:
    choice = chosen(plain=cost(200, 5.0, 100))
    assert choice.variant is PLAIN
    assert choice.reason.endswith("no variant gave its answers")


costs = st.builds(
    Measure,
    load_ms=st.floats(0.1, 1e4),
    run_ms=st.floats(0.01, 1e3),
    private_mib=st.floats(0, 1e4),
    resident_mib=st.floats(0, 1e4),
)


@given(st.fixed_dictionaries({PLAIN: costs}, optional=dict.fromkeys(prepared.OPENING, costs)))
def test_what_is_kept_is_never_much_worse_than_plain(measured: dict[Variant, Measure]) -> None:
    choice = choose(measured)
    kept, plain = measured[choice.variant], measured[PLAIN]
    assert kept.load_ms <= plain.load_ms
    assert kept.private_mib <= plain.private_mib + 1
    assert kept.run_ms <= plain.run_ms * 1.05 + 0.05


def entry(variant: Variant = SAVED) -> Entry:
    files = {name: File(size_bytes=5, check="c") for name in (GRAPH, WEIGHTS)}
    return Entry(variant=variant, reason="why", files=files, measured={"plain": {"load_ms": 1.0}})


def test_an_entry_is_read_as_it_was_written() -> None:
    assert prepared.read(entry().write()) == entry()
    assert entry().size_bytes == 10
    nothing = Entry(variant=PLAIN, reason="no memory", is_final=False)
    assert prepared.read(nothing.write()) == nothing


def changed(**fields: object) -> bytes:
    return orjson.dumps({**orjson.loads(entry().write()), **fields})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", f"{ENTRY} can not be read"),
        (b"[1]", f"{ENTRY} can not be read"),
        (b'{"recipe": 2}', f"{ENTRY} can not be read .KeyError"),
        (changed(recipe=0), "is of recipe 0, not 2"),
        (changed(variant="other"), f"{ENTRY} can not be read .ValueError"),
        (changed(variant="plain"), f"{ENTRY} says plain, and names no such files"),
        (changed(files={}), f"{ENTRY} says saved, and names no such files"),
        (changed(files={GRAPH: {"bytes": "x", "check": ""}}), "can not be read"),
        (changed(files=[GRAPH]), "can not be read"),
        (
            changed(files={name: {"bytes": 1, "check": ""} for name in (GRAPH, "../etc/passwd")}),
            "names files that are none of ours",
        ),
    ],
)
def test_what_is_no_whole_entry_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(EntryError, match=said):
        prepared.read(data)


def test_those_least_lately_loaded_go_first() -> None:
    kept = [Kept(key=key, size_bytes=10, used_s=used) for key, used in (("a", 2), ("b", 1))]
    assert evictions(kept, limit_bytes=20) == []
    assert evictions(kept, limit_bytes=19) == ["b"]
    assert evictions(kept, limit_bytes=0) == ["b", "a"]


@given(
    st.lists(
        st.builds(
            Kept, key=st.uuids().map(str), size_bytes=st.integers(0, 99), used_s=st.floats(0, 99)
        )
    ),
    st.integers(0, 500),
)
def test_what_stays_fits(kept: list[Kept], limit_bytes: int) -> None:
    going = set(evictions(kept, limit_bytes=limit_bytes))
    assert sum(each.size_bytes for each in kept if each.key not in going) <= limit_bytes
