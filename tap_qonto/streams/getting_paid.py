"""Payment links, direct debit and terminals."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from tap_qonto.streams.bases import OneRowStream, RecentFirstStream
from tap_qonto.streams.client import QontoStream
from tap_qonto.streams.nested import PerRowStream


class PaymentLinks(QontoStream):
    """Links that clients pay through; the links themselves are secrets and left out (Q96)."""

    name = "payment_links"
    path = "/v2/payment_links"


class PaymentLinkPayments(PerRowStream):
    """Payments of each payment link."""

    name = "payment_link_payments"
    path = "/v2/payment_links/{id}/payments"
    params: t.ClassVar = {"sort_by": "creation_date:asc"}


class PaymentLinkConnection(OneRowStream):
    """Whether payment links are set up."""

    name = "payment_link_connection"
    path = "/v2/payment_links/connections"


class PaymentLinkMethods(QontoStream):
    """Ways to pay that payment links can offer."""

    name = "payment_link_methods"
    path = "/v2/payment_links/payment_methods"


class SddMandates(QontoStream):
    """Mandates for SEPA direct debit."""

    name = "sdd_mandates"
    path = "/v2/sepa/direct_debit_mandates"


class SddSubscriptions(QontoStream):
    """Schedules of SEPA direct debit."""

    name = "sdd_subscriptions"
    path = "/v2/sepa/direct_debit_subscriptions"


class SddCollections(RecentFirstStream):
    """Collections by SEPA direct debit: they can be returned or refunded for eight weeks (Q40)."""

    name = "sdd_collections"
    path = "/v2/sepa/direct_debit_collections"
    params: t.ClassVar = {"sort_by": "collection_date:desc"}
    replication_key = "collection_date"
    again = timedelta(weeks=9)
    missed = "Changes of collections more than nine weeks after their date, deletions."


class Terminals(QontoStream):
    """Payment terminals."""

    name = "terminals"
    path = "/v2/terminals"
