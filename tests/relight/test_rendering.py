import orjson
import yaml

from api import kinds
from relight import rendering


def test_a_table_is_aligned_as_kubectls() -> None:
    widths: list[int] = []
    assert rendering.table([["NAME", "READY"], ["iris", "True"]], widths) == [
        "NAME   READY",
        "iris   True",
    ]
    assert rendering.table([["a-longer-name", "False"]], widths) == ["a-longer-name   False"]
    assert rendering.table([["b", "True"]], widths) == ["b               True"]


def test_columns_of_a_narrow_and_a_wide_table() -> None:
    narrow = rendering.columns(kinds.PODS, is_wide=False, has_namespace=False)
    wide = rendering.columns(kinds.PODS, is_wide=True, has_namespace=True)
    assert [c.title for c in narrow] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [c.title for c in wide] == [
        "NAMESPACE",
        *(c.title for c in narrow),
        "REVISION",
        "ENDPOINT",
    ]


def test_dumps_read_back_as_they_were() -> None:
    value = {"b": [1, None], "a": "é"}
    assert orjson.loads(rendering.dump(value, "json")) == value
    text = rendering.dump(value, "yaml")
    assert yaml.safe_load(text) == value
    assert text.startswith("b:")


def test_names_and_lists_are_kubectls() -> None:
    raw = {"metadata": {"name": "iris"}}
    assert rendering.full_name(kinds.SERVICES, raw) == "service.serving.knative.dev/iris"
    assert rendering.full_name(kinds.PODS, raw) == "pod/iris"
    assert rendering.list_of([raw])["items"] == [raw]


def test_what_belongs_to_a_service_is_selected_by_label() -> None:
    assert rendering.children_selector("iris") == "serving.knative.dev/service=iris"
