"""The annotation that has a sink told of requests."""

import pytest

from api import keys
from api.errors import InvalidObjectError
from api.fields import Faults
from api.payload_logs import Logging, check, read_logging


def test_the_annotation_is_read() -> None:
    assert read_logging('{"url": "http://sink", "mode": "request"}') == Logging(
        url="http://sink", has_requests=True, has_responses=False
    )
    assert read_logging('{"url": "https://s", "metadataHeaders": ["A"]}') == Logging(
        url="https://s", has_requests=True, has_responses=True, metadata_headers=("A",)
    )
    assert not read_logging('{"url": "http://s", "mode": "response"}').has_requests


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "not JSON"),
        ("[]", "must be an object"),
        ('{"url": "http://s", "rate": 1}', "unknown field 'rate'"),
        ("{}", "url: must be an http or https URL"),
        ('{"url": "ftp://s"}', "url: must be an http or https URL"),
        ('{"url": "http://"}', "url: must be an http or https URL"),
        ('{"url": "http://[s"}', "url: must be an http or https URL"),
        ('{"url": "http://s", "mode": "none"}', "mode: must be one of all, request, response"),
        ('{"url": "http://s", "metadataHeaders": "a"}', "metadataHeaders: must be a list"),
        ('{"url": "http://s", "metadataHeaders": [1]}', "metadataHeaders: must be a list"),
        ('{"url": "http://s", "metadataHeaders": ["a b"]}', "'a b' is no name of a header"),
        ('{"url": "http://s", "metadataHeaders": [""]}', "'' is no name of a header"),
    ],
)
def test_what_is_wrong_with_the_annotation_is_said(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        read_logging(text)


def test_admission_names_the_annotation_and_the_field() -> None:
    faults = Faults()
    check({}, "metadata.annotations", faults)
    check({keys.LOGGER: '{"url": "http://s"}'}, "metadata.annotations", faults)
    faults.raise_any()
    check({keys.LOGGER: '{"url": "x"}'}, "spec.template.metadata.annotations", faults)
    with pytest.raises(InvalidObjectError, match="url: must be an http or https URL") as caught:
        faults.raise_any()
    assert "spec.template.metadata.annotations.relight.dev/logger" in str(caught.value)
