"""A real account as the doctor sees it: asked read only, each thing once, within a budget."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from tap_qonto.api.contract import endpoints
from tap_qonto.api.organizations import Organizations
from tap_qonto.api.rate_limit import RateLimiter
from tap_qonto.api.responses import Request, is_error
from tap_qonto.api.transport import Patience, Transport
from tap_qonto.auth.authenticator import authenticator_for
from tap_qonto.cli.doctor.sample import Reply, Sample
from tap_qonto.cli.doctor.shapes import Shapes
from tap_qonto.errors import RequestDenied, RequestFailed, RequestRejected
from tap_qonto.pagination.pages import Query
from tap_qonto.streams.bases import OneRowStream
from tap_qonto.streams.client import PLAIN, USUAL
from tap_qonto.streams.nested import NO_PATH, PerAccountStream, PerCurrencyStream, PerRowStream

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_qonto.api.responses import Response
    from tap_qonto.settings import Settings
    from tap_qonto.streams.client import Params, QontoStream

OK = 200
MOST_REQUESTS = 200
SPARE = 6  # of them, for what one request may take: two tries, a refresh, a look elsewhere at a 401
MOST_ORGANIZATIONS = 2  # are looked into for rows
MOST_ACCOUNTS = 2  # of an organization


class Exhausted(Exception):  # noqa: N818
    """The budget of requests is used up."""


class Account:
    """What the checks ask.

    LoginRequired, SettingsError and StoreError may be raised by everything here that asks.
    """

    def __init__(self, settings: Settings, streams: list[QontoStream], user_agent: str) -> None:
        settings = dataclasses.replace(settings, shard=None)
        self._rate_limiter = RateLimiter(settings.rate_limits)
        self.session = authenticator_for(settings, before_request=self._rate_limiter.acquire)
        self._transport = Transport(
            settings, self.session, self._rate_limiter, user_agent, Patience(tries=2)
        )
        self._replies: dict[Request, Reply] = {}
        self.organizations = Organizations(settings, self._sent, self.session)
        self.streams = [one for one in streams if one.derived_from is None]

    def close(self) -> None:
        """Send nothing more, and save the session if that is due."""
        self._transport.close()
        self.session.close()

    @property
    def requests(self) -> int:
        """How many were sent, refreshes and retries included."""
        return self._rate_limiter.started

    def _sent(self, request: Request) -> Response:
        if self.requests > MOST_REQUESTS - SPARE:
            raise Exhausted
        return self._transport.send(request)

    def ask(self, request: Request) -> Reply:
        """Ask once; refusals are replies.

        Raises:
            Exhausted: the budget is used up.
        """
        if request not in self._replies:
            try:
                reply = Reply(OK, self._sent(request).body)
            except (RequestDenied, RequestRejected) as error:
                reply = Reply(error.status)
            except RequestFailed as error:
                reply = Reply(error.status or 0)
            self._replies[request] = reply
        return self._replies[request]

    def page(
        self, sample: Sample, *more: tuple[str, t.Any], number: int = 1, size: int = USUAL
    ) -> Reply:
        """Ask for a page of the list of a sample, with `more` parameters."""
        query = Query(number=number, size=size)
        extra = (*sample.extra, *PLAIN, *more)
        return self.ask(sample.stream.request(sample.organization_id, query, extra))

    def rows(self, sample: Sample, reply: Reply) -> list[dict[str, t.Any]]:
        """Return the rows of a page, as Qonto sent them; none if it is no page."""
        try:
            return sample.stream.rows_of(reply.body) if reply.status == OK else []
        except RequestFailed:
            return []

    @functools.cached_property
    def samples(self) -> dict[str, Sample]:
        """The first page of every list that can be asked for, of a place that has rows if any has.

        Lists that hang on rows of others come after those.
        """
        found: dict[str, Sample] = {}
        ids = self.organizations.ids()[:MOST_ORGANIZATIONS]
        streams = sorted(self.streams, key=lambda one: isinstance(one, PerRowStream))
        try:
            for organization_id in ids:
                for stream in streams:
                    for extra in self._extras(stream, organization_id, found):
                        if stream.name not in found or not found[stream.name].rows:
                            found[stream.name] = self._sampled(stream, organization_id, extra)
        except Exhausted:
            pass  # the others can't be told of
        return found

    def _sampled(self, stream: QontoStream, organization_id: str, extra: Params) -> Sample:
        sample = Sample(stream, organization_id, extra, Reply(0), [])
        reply = self.page(sample)
        rows = self.rows(sample, reply)
        if isinstance(stream, OneRowStream):
            row = stream.row_of(reply.body)
            rows = [row] if isinstance(row, dict) and not is_error(reply.body) else []
        elif rows and (included := stream.params.get("includes[]")):
            rows = self.rows(sample, self.page(sample, ("includes[]", included))) or rows
        return sample._replace(reply=reply, rows=rows)

    def _extras(
        self, stream: QontoStream, organization_id: str, found: dict[str, Sample]
    ) -> Iterator[Params]:
        """Yield the parameters without which there is no such list: an account, a parent's row."""
        if stream.name == "user_organizations":
            return
        if isinstance(stream, PerRowStream):
            of = endpoints()[stream.name].parent or {}
            parent = found.get(of["stream"])
            rows = parent.rows if parent and parent.organization_id == organization_id else []
            ids = [row.get(of["from"]) for row in rows if stream.wanted(row)]
            for one in ids[:1]:
                if one not in NO_PATH:
                    yield (("{" + of["param"] + "}", str(one)),)
        elif isinstance(stream, PerAccountStream):
            for account in self._accounts(organization_id)[:MOST_ACCOUNTS]:
                yield (("bank_account_id", account["id"]),)
        elif isinstance(stream, PerCurrencyStream):
            rows, name = self._accounts(organization_id), "currency"
            if stream.offered and (offer := found.get("international_currencies")):
                rows, name = offer.rows, "currency_code"
            for currency in sorted({str(row[name]) for row in rows if row.get(name)})[:1]:
                yield ((stream.currency_param, currency),)
        else:
            yield ()

    def _accounts(self, organization_id: str) -> list[dict[str, t.Any]]:
        try:
            return self.organizations.accounts(organization_id)
        except (RequestDenied, RequestRejected, RequestFailed):
            return []

    @functools.cached_property
    def shapes(self) -> Shapes:
        """What the rows of the samples look like."""
        return Shapes(self.samples)

    @property
    def lists(self) -> list[Sample]:
        """The samples that are lists in pages and have rows."""
        return [one for one in self.samples.values() if one.stream.is_paged and one.rows]
