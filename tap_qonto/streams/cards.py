"""Cards."""

from __future__ import annotations

import typing as t

from tap_qonto.streams.client import QontoStream


class Cards(QontoStream):
    """Cards of all members, with limits; numbers are masked by Qonto (Q95)."""

    name = "cards"
    path = "/v2/cards"
    params: t.ClassVar = {"sort_by": "created_at:asc"}


class CardAppearances(QontoStream):
    """Designs that cards can have."""

    name = "card_appearances"
    path = "/v2/cards/appearances"
