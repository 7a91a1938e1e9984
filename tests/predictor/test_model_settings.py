"""Settings from several files as one."""

from predictor.model import Signature
from predictor.model_settings import Batching, ModelSettings, Warmup, merged

NONE = Signature(inputs=(), outputs=())
BATCHING = Batching(size_max=8, delay_s=0.1, said_by="f")


def test_the_first_that_says_something_is_heard() -> None:
    first = ModelSettings(name="a", warmups=(Warmup(name="1", body=b""),), without_effect=("x",))
    second = ModelSettings(
        name="b",
        signature=NONE,
        signature_by="f",
        batching=BATCHING,
        labels={"y": ("cat",)},
        warmups=(Warmup(name="2", body=b""),),
        providers=("P",),
        without_effect=("y",),
    )
    found = merged(first, second)
    assert (found.name, found.signature_by, found.batching) == ("a", "f", BATCHING)
    assert (found.labels, found.providers) == ({"y": ("cat",)}, ("P",))
    assert [each.name for each in found.warmups] == ["1", "2"]
    assert found.without_effect == ("x", "y")
    assert merged(second, first).name == "b"
    assert merged(ModelSettings(), second) == second == merged(second, ModelSettings())
