"""What Routes and DomainMappings say alike of being reached from outside, in Knative's words.

For: the conditions that both have, once.
Must not know: which hosts there are, or where they lead.
"""

from typing import Final

from api.conditions import TRUE, UNKNOWN, Condition

CERTIFICATE_PROVISIONED: Final = "CertificateProvisioned"
INGRESS_READY: Final = "IngressReady"

NO_CERTIFICATE: Final = Condition(
    type=CERTIFICATE_PROVISIONED,
    status=TRUE,
    reason="TLSNotEnabled",
    message="external-domain-tls is not enabled",
)
NOT_CONFIGURED: Final = Condition(
    type=INGRESS_READY,
    status=UNKNOWN,
    reason="IngressNotConfigured",
    message="Ingress has not yet been reconciled.",
)
