"""Templates in the containers of runtimes."""

import pytest

from api.objects import ObjectMeta
from api.placeholders import PlaceholderError, filled

META = ObjectMeta(
    name="iris",
    namespace="default",
    labels={"team": "flowers", "a.b/c": "d"},
    annotations={"note": "x"},
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("--model_name={{.Name}}", "--model_name=iris"),
        ("{{ .Name }}.{{- .Namespace -}}", "iris.default"),
        ("{{.Labels.team}}", "flowers"),
        ("{{.Annotations.note}}", "x"),
        ('{{index .Labels "a.b/c"}}', "d"),
        ("{{index .Labels `a.b/c`}}", "d"),
        ("nothing", "nothing"),
        ("{ {.Name} }", "{ {.Name} }"),
        ("{.Name}}", "{.Name}}"),
    ],
)
def test_a_text_is_filled_in(text: str, wanted: str) -> None:
    assert filled(text, META) == wanted


def test_all_of_a_container_is() -> None:
    container = {"args": ["{{.Name}}"], "env": [{"name": "X", "value": "{{.Namespace}}"}], "n": 1}
    assert filled(container, META) == {
        "args": ["iris"],
        "env": [{"name": "X", "value": "default"}],
        "n": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{.Labels.gone}}", "{{.Labels.gone}}: the InferenceService has no label gone"),
        (
            '{{index .Annotations "gone"}}',
            '{{index .Annotations "gone"}}: the InferenceService has no annotation gone',
        ),
        ("{{.Spec}}", "{{.Spec}} is not a placeholder that is served"),
        ("{{if .Name}}x{{end}}", "{{if .Name}} is not a placeholder that is served"),
        ("--name={{.Name", "{{.Name is a placeholder without an end"),
        ("{{.Name}} {{ .Name }", "{{ .Name } is a placeholder without an end"),
        ("{{if\n.Name}}", "{{if\n.Name}} is not a placeholder that is served"),
        ("{{", "{{ is a placeholder without an end"),
    ],
)
def test_what_can_not_be_filled_in_is_told(text: str, message: str) -> None:
    with pytest.raises(PlaceholderError) as caught:
        filled([text], META)
    assert str(caught.value) == message
