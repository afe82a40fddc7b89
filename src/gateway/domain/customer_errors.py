"""Refusals about customers whom a merchant manages."""

from gateway.domain.errors import Refusal


class CustomerNotFound(Refusal):
    """No such customer, or none of the asker's."""

    code = "customer_not_found"


class ExternalIdTaken(Refusal):
    """Another customer of the merchant has this external id."""

    code = "external_id_taken"


class CustomerJoined(Refusal):
    """The customer is a user of their own by now, whom the merchant cannot invite."""

    code = "customer_joined"


class InvitationInvalid(Refusal):
    """No such invitation, or it was accepted, replaced by another one, or has expired: nobody learns which."""

    code = "invitation_invalid"
