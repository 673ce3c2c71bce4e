"""What is sold: clients, products, invoices, quotes."""

from __future__ import annotations

import typing as t

from tap_qonto.streams.bases import (
    CreatedStream,
    OneRowStream,
    UpdatedAnyOrderStream,
    UpdatedStream,
)
from tap_qonto.streams.client import QontoStream


class Clients(UpdatedStream):
    """Clients of the organization."""

    name = "clients"
    path = "/v2/clients"
    since_param = "filter[updated_at_from]"
    until_param = "filter[updated_at_to]"


class Products(QontoStream):
    """The catalogue of products and services."""

    name = "products"
    path = "/v2/products"
    params: t.ClassVar = {"sort_by": "created_at:asc"}


class ClientInvoices(UpdatedAnyOrderStream):
    """Invoices to clients, imported ones included (Q30)."""

    name = "client_invoices"
    path = "/v2/client_invoices"
    params: t.ClassVar = {"sort_by": "created_at:asc", "exclude_imported": "false"}
    since_param = "filter[updated_at_from]"
    until_param = "filter[updated_at_to]"


class CreditNotes(CreatedStream):
    """Credit notes; read again while their electronic invoice is on its way."""

    name = "credit_notes"
    path = "/v2/credit_notes"
    open_field = "einvoicing_status"
    open_values = ("pending",)
    missed = "Changes of settled credit notes, deletions (Q37)."


class Quotes(CreatedStream):
    """Quotes; read again until approved or canceled."""

    name = "quotes"
    path = "/v2/quotes"
    open_values = ("pending_approval",)
    missed = "Changes of approved or canceled quotes, deletions (Q37)."


class RecurringInvoices(QontoStream):
    """Schedules of invoices."""

    name = "recurring_invoices"
    path = "/v2/recurring_invoices"


class PaymentReminders(QontoStream):
    """Which clients are reminded, and when."""

    name = "payment_reminders"
    path = "/v2/reminders"


class InvoicingSettings(OneRowStream):
    """How invoices are numbered and sent."""

    name = "invoicing_settings"
    path = "/v2/settings"
