from api import spec_schemas
from api.metadata import CONTAINER_CONCURRENCY_MAX
from api.templates import TIMEOUT_S_DEFAULT, TIMEOUT_S_MAX
from api.traffic import TrafficTarget


def test_bounds_are_those_of_the_parser() -> None:
    concurrency = spec_schemas.REVISION_SPEC["containerConcurrency"]
    timeout = spec_schemas.REVISION_SPEC["timeoutSeconds"]
    assert (concurrency["minimum"], concurrency["maximum"]) == (0, CONTAINER_CONCURRENCY_MAX)
    assert (timeout["minimum"], timeout["maximum"]) == (0, TIMEOUT_S_MAX)
    assert str(TIMEOUT_S_DEFAULT) in timeout["description"]


def test_a_target_in_a_status_is_written_with_these_fields() -> None:
    target = TrafficTarget(revision_name="r", latest_revision=True, percent=1, tag="t", url="u")
    assert set(target.to_raw()) == set(spec_schemas.STATUS_TARGET)


def test_a_services_target_names_no_configuration() -> None:
    more = set(spec_schemas.ROUTE_TARGET) - set(spec_schemas.SERVICE_TARGET)
    assert more == {"configurationName"}
    target = spec_schemas.traffic(spec_schemas.ROUTE_TARGET, "T.")["items"]
    assert set(target["properties"]) == set(spec_schemas.ROUTE_TARGET)
