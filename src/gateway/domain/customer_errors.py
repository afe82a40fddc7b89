"""Refusals about customers whom a merchant manages."""

from gateway.domain.errors import Refusal


class CustomerNotFound(Refusal):
    """No such customer, or none of the asker's."""

    code = "customer_not_found"


class ExternalIdTaken(Refusal):
    """Another customer of the merchant has this external id."""

    code = "external_id_taken"
