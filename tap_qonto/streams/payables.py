"""What is bought: supplier invoices and suppliers."""

from __future__ import annotations

import typing as t

from tap_qonto.streams.bases import SearchStream, UpdatedStream


class SupplierInvoices(UpdatedStream):
    """Invoices from suppliers, with the transactions that pay them."""

    name = "supplier_invoices"
    path = "/v2/supplier_invoices"
    since_param = "filter[updated_at_from]"
    until_param = "filter[updated_at_to]"


class Suppliers(SearchStream):
    """Suppliers, archived ones included (Q44)."""

    name = "suppliers"
    path = "/v2/suppliers/search"
    search: t.ClassVar = {
        "filter": {"statuses": ["unarchived", "archived"]},
        "sort": {"field": "name", "direction": "asc"},
    }
