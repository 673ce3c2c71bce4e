"""What the server can be told: size of the data, lifetimes, limits, and how it disappoints."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from datetime import datetime

REAL_LIMITS = ((1000, 10.0), (10000, 600.0))  # requests, seconds; per IP address (Q87)
SCOPES = frozenset(
    [
        "offline_access",
        "user_organization.read",
        "organization.read",
        "membership.read",
        "team.read",
        "attachment.read",
        "subscription.read",
        "cash_flow_category.read",
        "card.read",
        "client.read",
        "client_invoices.read",
        "product.read",
        "supplier_invoice.read",
        "payment_link.read",
        "sepa_direct_debit.read",
        "terminal.read",
        "einvoicing.read",
        "webhook",
        "openid",
    ]
)


@dataclass
class Options:
    """Fields may be changed while the server runs, but for the first group.

    Lifetimes are in seconds. Defaults behave as the contract says; the last group makes the
    server as unhelpful as the API might be where the contract is silent or contradictory.
    """

    # the data
    seed: int = 7
    organizations: int = 5  # French, German, Spanish, Italian, and an empty one
    transactions: int = 240  # of each organization, over all its accounts
    accounts: int = 5  # at most: main, savings, a closed one, one in dollars, one of another bank
    now: datetime | None = None  # where the server's clock starts; default: the real time
    gates: bool = True  # every fourth organization lacks plan, add-on and features

    # the application
    client_id: str = "demo-client"
    client_secret: str = "demo-secret"
    redirect_uris: tuple[str, ...] = ()  # () accepts every loopback address
    allowed_scopes: frozenset[str] = SCOPES
    flows: tuple[str, ...] = ("user", "membership")

    # lifetimes
    code_seconds: float = 600
    access_token_seconds: float = 3600
    refresh_token_seconds: float = 90 * 86400
    grace_seconds: float = 60
    link_seconds: float = 1800  # of links to files (Q92)

    # limits
    rate_limits: tuple[tuple[int, float], ...] = ()  # see REAL_LIMITS
    unauthorized_per_hour: int | None = 200
    retry_after: bool = False  # send the header with a 429 (not documented, Q87)
    staging_token: str | None = None
    latency: float = 0.0
    jitter: float = 0.0
    file_latency: float = 0.0  # seconds before each file

    # doubts; "seconds" cuts the fraction of the bound off
    updated_at_from: t.Literal["inclusive", "exclusive", "seconds"] = "inclusive"
    updated_at_to: t.Literal["inclusive", "exclusive", "seconds", "ignored"] = "inclusive"
    several_statuses: t.Literal["all", "first", "last"] = "all"  # those that count (Q25)
    clients_filter: bool = True  # Q33
    supplier_invoices_sort: bool = True  # Q32
    # where rows of equal sort keys come in another order at each request, as from a database that
    # has no other key to go by: in every list, where no sort_by is sent (Q23), nowhere
    ties: t.Literal["shuffled", "unsorted", "stable"] = "shuffled"
    total_count: t.Literal["right", "wrong", "missing"] = "right"
    odd: frozenset[str] = field(default_factory=frozenset)  # names of demo/odd.py
    deepest: int = 10_000  # rows, for those who count or page no further
    retired: frozenset[str] = field(default_factory=frozenset)  # paths that answer 410
    edits_per_request: tuple[str, ...] = ()  # streams of which a row is edited before each answer
