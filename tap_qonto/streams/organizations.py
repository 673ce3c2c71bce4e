"""The consent, the organizations, their plan and their people."""

from __future__ import annotations

import copy
import typing as t

from tap_qonto.client import QontoStream
from tap_qonto.kinds import OneRowStream
from tap_qonto.organizations import organization_of
from tap_qonto.pagination import Batch

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Context, Record

    from tap_qonto.readahead import Fetch
    from tap_qonto.walks import Walk


class UserOrganizations(QontoStream):
    """The organizations that the user consented to: the parent of all other streams (Q1)."""

    name = "user_organizations"
    path = "/v2/user_organizations"
    is_partitioned = False

    @property
    def partitions(self) -> None:  # type: ignore[override]
        """None: there is one list for all."""

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002
        """Hand over what was found out at the start of the run."""
        self.begin_version()
        for row in self.run.organizations.rows():
            self.run.checkpoint()
            yield self._shape(row, None)
        self.end_version()


class Organization(OneRowStream):
    """The organization itself, with its accounts as they are now."""

    name = "organization"
    path = "/v2/organization"

    def walk(
        self,
        context: Mapping[str, t.Any],
        fetch: Fetch,  # noqa: ARG002 - asked once for all streams
        since: datetime | None,  # noqa: ARG002
    ) -> Walk:
        """Read the answer that the run keeps for everybody."""
        organization_id = context["organization_id"]
        row = organization_of(self.run.organizations.body(organization_id))
        # a copy, since others read the same answer
        yield Batch([self.one_row(copy.deepcopy(row), organization_id)])
        return None


class Subscription(OneRowStream):
    """The plan that the organization pays for."""

    name = "subscription"
    path = "/v2/subscription"


class EInvoicingSettings(OneRowStream):
    """Whether and how the organization sends and receives electronic invoices."""

    name = "einvoicing_settings"
    path = "/v2/einvoicing/settings"


class Memberships(QontoStream):
    """The people of the organization and their roles."""

    name = "memberships"
    path = "/v2/memberships"


class Membership(OneRowStream):
    """The membership of the person behind the session."""

    name = "membership"
    path = "/v2/membership"


class Teams(QontoStream):
    """Teams of members."""

    name = "teams"
    path = "/v2/teams"


class WebhookSubscriptions(QontoStream):
    """Who is told of events. Off by default: it takes the scope `webhook`."""

    name = "webhook_subscriptions"
    path = "/v2/webhook_subscriptions"
    selected_by_default = False
