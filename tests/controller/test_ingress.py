from api.conditions import ready
from controller.ingress import NO_CERTIFICATE, NOT_CONFIGURED


def test_without_a_certificate_all_is_well_and_without_an_ingress_nothing_is_known() -> None:
    assert ready((NO_CERTIFICATE,)).status == "True"
    found = ready((NO_CERTIFICATE, NOT_CONFIGURED))
    assert (found.status, found.reason) == ("Unknown", "IngressNotConfigured")
