from api import refusals, spec_schemas


def test_a_field_is_refused_for_one_reason_and_not_described() -> None:
    served = set(spec_schemas.REVISION_SPEC)
    containers = spec_schemas.REVISION_SPEC["containers"]["items"]["properties"]
    assert not refusals.UNSUPPORTED_POD & refusals.DISALLOWED_POD
    assert not refusals.UNSUPPORTED_CONTAINER & refusals.DISALLOWED_CONTAINER
    assert not served & (refusals.UNSUPPORTED_POD | refusals.DISALLOWED_POD)
    refused = refusals.UNSUPPORTED_CONTAINER | refusals.DISALLOWED_CONTAINER
    assert not set(containers) & refused
