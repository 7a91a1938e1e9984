from typing import Any

import pytest

from relight.addresses import Destination, of_service
from relight.errors import FailedError, UsageError


def service(url: str = "http://iris.lab.localhost:8080") -> dict[str, Any]:
    return {
        "metadata": {"name": "iris", "namespace": "lab"},
        "status": {"url": url, "traffic": [{"tag": "new", "percent": 0}, {"percent": 100}]},
    }


def test_by_way_of_the_activator_no_name_need_resolve() -> None:
    found = of_service(service(), activator="http://127.0.0.1:8080", domain="localhost")
    assert found == Destination(base="http://127.0.0.1:8080", host="iris.lab.localhost:8080")


def test_without_an_activator_the_url_of_the_status_is_used() -> None:
    found = of_service(service("http://iris.lab.example.com"), activator=None, domain=None)
    assert found == Destination(base="http://iris.lab.example.com", host="iris.lab.example.com")


def test_a_tag_and_a_revision_have_hosts_of_their_own() -> None:
    around = {"activator": None, "domain": None}
    assert of_service(service(), **around, tag="new").host == "new-iris.lab.localhost:8080"
    by_revision = of_service(service(), **around, revision="iris-00001")
    assert by_revision.base == "http://iris-00001.lab.localhost:8080"


def test_a_tag_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"iris has no tag old \(tags: new\)"):
        of_service(service(), activator=None, domain=None, tag="old")


def test_a_service_without_a_url_is_found_by_its_name() -> None:
    found = of_service(service(""), activator="http://a:1", domain="localhost")
    assert found.host == "iris.lab.localhost"


def test_a_service_without_any_address() -> None:
    with pytest.raises(FailedError, match="iris has no address yet"):
        of_service(service(""), activator=None, domain=None)
