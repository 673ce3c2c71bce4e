"""Money sent: transfers, those who receive them, and requests to spend."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from tap_qonto.streams.bases import CreatedStream, OneRowStream, RecentFirstStream, UpdatedStream
from tap_qonto.streams.client import QontoStream
from tap_qonto.streams.nested import PerCurrencyStream


class SepaBeneficiaries(UpdatedStream):
    """People and companies that receive SEPA transfers."""

    name = "sepa_beneficiaries"
    path = "/v2/sepa/beneficiaries"


class SepaTransfers(UpdatedStream):
    """SEPA transfers; `transaction_id` joins to transactions once settled (Q49)."""

    name = "sepa_transfers"
    path = "/v2/sepa/transfers"


class SepaBulkTransfers(RecentFirstStream):
    """Batches of SEPA transfers."""

    name = "sepa_bulk_transfers"
    path = "/v2/sepa/bulk_transfers"


class SepaRecurringTransfers(RecentFirstStream):
    """Standing orders."""

    name = "sepa_recurring_transfers"
    path = "/v2/sepa/recurring_transfers"


class Requests(CreatedStream):
    """Requests of members for cards and transfers; four kinds in one list (Q78)."""

    name = "requests"
    path = "/v2/requests"
    since_param = "created_at_from"
    until_param = None
    open_values = ("pending",)
    missed = "Deletions."


class InternationalTransfers(RecentFirstStream):
    """Transfers abroad, newest first (Q89)."""

    name = "international_transfers"
    path = "/v2/international/transfers"
    since_param = "updated_at_from"
    again = timedelta(days=30)
    missed = "Deletions; if Qonto refuses the filter, changes later than 30 days after the last."


class InternationalEligibility(OneRowStream):
    """Whether the organization can send money abroad."""

    name = "international_eligibility"
    path = "/v2/international/eligibility"


class InternationalCurrencies(PerCurrencyStream):
    """Currencies that can be sent abroad, from each currency of the organization's accounts."""

    name = "international_currencies"
    path = "/v2/international/currencies"
    currency_param = "source"


class InternationalBeneficiaries(PerCurrencyStream):
    """People and companies that receive transfers abroad.

    Off by default: Qonto lists them by currency, so it takes a request per currency offered.
    """

    name = "international_beneficiaries"
    path = "/v2/international/beneficiaries"
    currency_param = "currency"
    offered = True
    selected_by_default = False


class BeneficiariesLegacy(UpdatedStream):
    """The deprecated list of beneficiaries, SEPA and others (Q88)."""

    name = "beneficiaries_legacy"
    path = "/v2/beneficiaries"
    selected_by_default = False


class ExternalTransfers(QontoStream):
    """The deprecated list of transfers (Q88). Rows do not tell when they changed (Q39)."""

    name = "external_transfers"
    path = "/v2/external_transfers"
    params: t.ClassVar = {"sort_by": "updated_at:desc"}
    selected_by_default = False
