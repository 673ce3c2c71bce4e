"""The consent, the organizations, their plan and their people."""

from __future__ import annotations

import typing as t

from tap_qonto.api.organizations import organization_of
from tap_qonto.pagination.pages import Records
from tap_qonto.streams.bases import OneRowStream
from tap_qonto.streams.client import QontoStream

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_qonto.api.prefetch import Fetch
    from tap_qonto.pagination.pages import Walk


class UserOrganizations(QontoStream):
    """The organizations that the user consented to: the parent of all other streams (Q1)."""

    name = "user_organizations"
    path = "/v2/user_organizations"

    @property
    def partitions(self) -> list[dict[str, t.Any]]:
        """One: there is one list for all, known since the start of the run."""
        return [{}]

    def read(self, context: Mapping[str, t.Any], fetch: Fetch) -> Walk:  # noqa: ARG002
        """Hand over what was found out at the start of the run."""
        yield Records([self._shape(row, None) for row in self.run.organizations.rows()])


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
        """Read the response that the run keeps for everybody."""
        organization_id = context["organization_id"]
        row = organization_of(self.run.organizations.body(organization_id))
        yield Records([self.one_row(row, organization_id)])


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
