"""The rows of cards and their looks."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from decimal import Decimal

from demo.values import major, plain, seconds

if t.TYPE_CHECKING:
    from demo.data.books import Books

Row = dict[str, t.Any]
# "titanium" is in no documentation: a new value comes without notice (Q46).
LEVELS = ("standard", "plus", "metal", "virtual", "flash", "virtual", "titanium")
STATUSES = ("live", "live", "paused", "live", "expired", "pin_blocked", "live")


def cards(books: Books) -> list[Row]:
    """UTC without fraction (Q53); `discard_on` may be no real date.

    What was spent, and when last, is what the transactions say.
    """
    facts = books.facts
    rows = []
    for number, (id_, last, member) in enumerate(facts.cards):
        created = facts.anchor - timedelta(days=500 - 10 * number, hours=number)
        use = books.card_use(id_)
        active = f"{use.last[:19]}Z" if use.last else None
        level, status = LEVELS[number], STATUSES[number]
        flash = level == "flash"
        embossed = plain(f"{member.first_name} {member.last_name}").replace("-", " ").upper()
        rows.append(
            {
                "id": id_,
                "nickname": f"Carte {number + 1}" if number % 3 else None,
                "embossed_name": embossed,
                "status": status,
                "pin_set": level not in {"virtual", "flash"},
                "mask_pan": f"512345******{last}",
                "exp_month": str(number % 12 + 1),
                "exp_year": str(facts.anchor.year + 2),
                "last_activity_at": active,
                "last_digits": last,
                "ship_to_business": False,
                "atm_option": level != "virtual",
                "nfc_option": True,
                "online_option": True,
                "foreign_option": number % 2 == 0,
                "atm_monthly_limit": 500,
                "atm_monthly_spent": 0,
                "atm_daily_limit": 200 if number == 2 else None,
                "atm_daily_spent": 0,
                "atm_daily_limit_option": number == 2,
                "payment_monthly_limit": limit(3000, use.month),
                "payment_monthly_spent": major(use.month),
                "payment_daily_limit": limit(800, use.day) if number == 2 else None,
                "payment_daily_spent": major(use.day),
                "payment_daily_limit_option": number == 2,
                "payment_transaction_limit": limit(300, use.most) - Decimal("0.5")
                if number == 3
                else None,
                "payment_transaction_limit_option": number == 3,
                "payment_lifespan_limit": 250 if flash else None,
                "payment_lifespan_spent": major(use.ever) if flash else None,
                "active_days": [1, 2, 3, 4, 5] if number == 5 else [1, 2, 3, 4, 5, 6, 7],
                "categories": ["transport", "atm"] if number == 5 else [],
                "holder_id": member.id,
                "initiator_id": facts.members[0].id,
                "bank_account_id": facts.card_account(number).id,
                "organization_id": facts.id,
                "created_at": seconds(created),
                "updated_at": active or seconds(created + timedelta(days=3)),
                "shipped_at": seconds(created + timedelta(days=2)) if number < 3 else None,
                "shipped_lost_at": seconds(created + timedelta(days=9)) if number == 2 else None,
                "card_type": "prepaid" if flash else "debit",
                "card_level": level,
                "pre_expires_at": seconds(facts.anchor + timedelta(days=6)) if flash else None,
                "renewed": False,
                "renewal": False,
                "parent_card_summary": {"id": facts.cards[0][0], "last_digits": facts.cards[0][1]}
                if number == 5
                else None,
                "had_operation": use.last is not None,
                "had_pin_operation": number < 3,
                "card_design": f"{level}.recycled.plastic.2023",
                "type_of_print": "embossed" if number < 3 else None,
                "upsold": False,
                "upsell": False,
                "discard_on": f"{facts.anchor.year + 2}-02-30" if number == 2 else None,
                "reordered": False,
                "appearance": appearance(level),
                "has_only_user_liftable_locks": status == "paused",
                "eligible_for_renewal": False,
                "eligible_for_upsell": number == 0,
                "is_qcp": False,
            }
        )
    return rows


def limit(least: int, cents: int) -> int:
    """A limit in whole units that `cents` keep within: `least`, or the next 500 above."""
    return max(least, -(-(cents + 50) // 50_000) * 500)


def appearance(level: str) -> Row:
    base = f"https://assets.qonto.example/cards/{level}"
    return {
        "assets": {
            "front_large": f"{base}-large.png",
            "front_small": f"{base}-small.png",
            "front_small_wallet": f"{base}-wallet.png",
        },
        "theme": "light" if level == "standard" else "dark",
        "gradient_hex_color": None if level == "flash" else "#20242A",
    }


def card_appearances(_: Books) -> list[Row]:
    return [
        {
            "card_type": kind,
            "card_level_appearances": [
                {
                    "card_level": level,
                    "appearances": [
                        {
                            **appearance(level),
                            "design": f"{level}.recycled.plastic.2023",
                            "is_active": True,
                        }
                    ],
                }
                for level in levels
            ],
        }
        for kind, levels in (
            ("debit", ("standard", "plus", "metal", "virtual")),
            ("prepaid", ("flash",)),
        )
    ]
