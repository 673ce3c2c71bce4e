"""The one list of what is assumed of Qonto: what follows if it is wrong, and how it is checked.

Nobody who wrote the tap had an account. `docs/not-verified.md` and `tap-qonto-auth doctor` are made
of this list; `docs/maintainers/first-contact.md` shows what both do where an assumption is turned
around. A number is never given twice, since reports name it. An assumption without a check can't be
looked into by reading.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_qonto.cli.doctor import consent, lists, queries, records

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_qonto.cli.doctor.account import Account
    from tap_qonto.cli.doctor.finding import Finding

Check: t.TypeAlias = "Callable[[Account], Finding]"


@dataclass(frozen=True)
class Assumption:
    """One thing that is taken for true."""

    number: int
    sentence: str
    otherwise: str
    """What follows if it is wrong, and what to do if something is to be done."""
    check: Check | None = None
    """Its docstring says how it looks, for people. It may raise what the account raises."""


SESSION = (
    Assumption(
        1,
        "One consent opens several organizations: `identity_type=user`, `user_organization.read`, "
        "a header on each request (Q1-Q5). No public program does it; two pages describe it.",
        "`login` or the first request fails and says how. `login --membership` and API keys are "
        "the older ways, for one organization. What kind a session is, Qonto's responses tell.",
        consent.user_flow,
    ),
    Assumption(
        2,
        "The list of organizations comes in one piece, without pages.",
        "Its pages are read to the end.",
        consent.one_piece,
    ),
    Assumption(
        3,
        "A missing or foreign organization header gives 403 (Q2).",
        "Another code makes an organization that left the consent `failed` in place of `skipped`; "
        "so does a 401 that a fresh token does not repair, if another endpoint still answers; if "
        "none does, the run ends with 3.",
        consent.foreign,
    ),
    Assumption(
        4,
        "The token response tells the granted scopes, all of them, separated by blanks.",
        "Nothing depends on it: what is not told is tried. Told scopes spare a few requests.",
        consent.scopes,
    ),
    Assumption(
        5,
        "Scope names of Q10, and that either of two attachment scopes opens attachments (Q11).",
        "The login names the scope that is refused; ask for fewer with `--scope`.",
    ),
    Assumption(
        6,
        "The used refresh token works for 60 more seconds (Q6).",
        "Only a crash in the middle of a refresh then needs a login.",
    ),
    Assumption(
        7,
        "`http://localhost:8765/callback` may be registered as a redirect address.",
        "`login --no-browser` works with any registered address.",
    ),
    Assumption(
        8,
        "`/oauth2/revoke` ends a session at `logout`.",
        "The session is forgotten here all the same, and `logout` says what Qonto did not confirm.",
    ),
)

LISTS = (
    Assumption(
        9,
        "Lists tell in `meta` how many rows there are and which page is next (Q17-Q19).",
        "A short page is looked behind, then at once more: two requests more for each list.",
        lists.counters,
    ),
    Assumption(
        10,
        "`total_count` counts the rows of the list.",
        "No row of a list with a key depends on it; others are read again, and are `failed` if "
        "counts and rows never agree.",
        lists.counts,
    ),
    Assumption(
        11,
        "A page behind the last one is an empty list.",
        "A refusal there (400, 404, 422) is the end of the list as well.",
        lists.beyond,
    ),
    Assumption(
        12,
        "Every page of a list can be asked for, however far in it is.",
        "Lists with a key are read by windows that move along; one without is `failed`, and says "
        "so.",
        lists.depth,
    ),
    Assumption(
        13,
        "The largest page sizes are accepted, 500 for invoices among them (Q22).",
        "Pages of 100 are asked for, and what came as a full page is remembered.",
        lists.sizes,
    ),
    Assumption(
        14,
        "Lists come sorted as asked (Q31-Q34).",
        "Noticed by looking at the rows: the list is read in a plainer way, and the log says so.",
        queries.ordered,
    ),
    Assumption(
        15,
        "Filters on dates leave out what is before or after (Q29, Q31-Q34), also those of "
        "`international_transfers` (Q89).",
        "Noticed by looking at the rows: more is read each time, and nothing is missed.",
        queries.filtered,
    ),
    Assumption(
        16,
        "Several `status[]` in one request give the rows of all of them (Q25).",
        "Found out by asking at each run; if not, one list for each status is read.",
        queries.together,
    ),
    Assumption(
        17,
        "One `status[]` gives all transactions of that status; `reversed` is accepted (Q24-Q26).",
        "A status that is refused is `warned` of, and the others are read.",
        queries.each_status,
    ),
    Assumption(
        18,
        "`includes[]` of labels, attachments and VAT details is accepted for transactions.",
        "They are asked for without: those columns are null.",
        queries.includes,
    ),
    Assumption(
        19,
        "Bulk, recurring and international transfers come latest change first (Q35).",
        "Noticed; the whole list is read.",
        queries.recent_first,
    ),
    Assumption(
        20,
        "Rows come under the names of our contract; those of recurring invoices, reminders, "
        "settings and suppliers are inferred (Q69).",
        "A list under another name, or none, is accepted; anything else is `failed`.",
        lists.envelopes,
    ),
    Assumption(
        21,
        "The key of a row is unique within its organization.",
        "Rows replace each other in the warehouse.",
        lists.unique,
    ),
    Assumption(
        22,
        "No endpoint is retired, though `external_transfers` and `beneficiaries_legacy` may answer "
        "404 or 410 by now (Q88).",
        "Its stream is `skipped`: deselect it. Those two are off by default.",
        lists.retired,
    ),
    Assumption(
        23,
        "Every change sets `updated_at` to now.",
        "A change that does not is missed until a full read.",
    ),
    Assumption(
        24,
        "A change is visible ten minutes after its timestamp at the latest: bookmarks stay that "
        "far behind.",
        "A change that comes later is missed until a full read.",
    ),
    Assumption(
        25,
        "How far back `updated_at_from` may reach (Q29). First runs send none; later ones send the "
        "bookmark.",
        "A refusal (422) leads to a plainer way.",
    ),
    Assumption(
        26,
        "`Retry-After`, which is not documented, is honoured if it comes; else the wait doubles.",
        "Nothing: the wait doubles.",
    ),
    Assumption(
        27,
        "External accounts have no transactions to list, or list them as others do (Q28).",
        "`failed` or `skipped` for these accounts.",
    ),
)

ROWS = (
    Assumption(
        28,
        "Values have the types of the schemas (Q59, Q63).",
        "They are converted where nothing is lost, else null and kept in `unknown_fields`; "
        "counted.",
        records.types,
    ),
    Assumption(
        29, "Whole numbers have no fraction.", "`29687.0` is read as 29687.", records.fractions
    ),
    Assumption(
        30,
        "A date that is not set is null, and dates are dates (Q53).",
        "Another text becomes null, and is counted.",
        records.dates,
    ),
    Assumption(
        31,
        "Lists within rows hold no null.",
        "It stays where the column takes it, else it leaves the list, and is counted.",
        records.nulls,
    ),
    Assumption(
        32,
        "All fields are known.",
        "New ones are kept in `unknown_fields`, but for links and secrets; counted, and named.",
        records.names,
    ),
    Assumption(
        33,
        "Each row has its key.",
        "A row without is set aside and reported; the others are read.",
        lists.keys,
    ),
    Assumption(
        34,
        "No key is longer than 128 characters: key columns have that length.",
        "A row with a longer one is set aside and reported; the others are read.",
        lists.key_lengths,
    ),
    Assumption(
        35,
        "`matched_transactions` of supplier invoices are objects.",
        "Ids as text become objects with a `transaction_id`.",
        records.matched,
    ),
    Assumption(
        36,
        "The organization shows its accounts with their ids.",
        "They are those of `/v2/bank_accounts`: a request more for each organization.",
        records.accounts,
    ),
    Assumption(
        37,
        "An error has a code of its own, not 200.",
        "A 200 whose body is an error is no row, and the stream is `failed` there.",
        records.errors,
    ),
    Assumption(38, "Which fields the list of client invoices leaves out (Q64).", "They are null."),
    Assumption(
        39,
        "The fields of `international_transfers` are those of other transfers (Q89).",
        "Missing ones are null, others are kept in `unknown_fields`.",
    ),
    Assumption(
        40,
        "The detail object of a deferred debit is `ddc_repayment`; its parts are documented, its "
        "name is not.",
        "It is null; what comes under another name is kept in `unknown_fields`.",
    ),
)

FILES = (
    Assumption(
        41,
        "Links to files need no login, and lead to https (Q92).",
        "A link that is not https is refused, and the file named in the closing table.",
    ),
    Assumption(
        42,
        "A dead link answers 400, 403, 404 or 410, or sends a page; then "
        "`GET /v2/attachments/{id}` gives a new one.",
        "Another answer is `failed`, and the file tried again by the next run.",
    ),
    Assumption(
        43,
        "Qonto tells a file's length in bytes.",
        "A file of another length is asked for again; if that gives the same, it is kept, and "
        "`warned`.",
    ),
    Assumption(
        44,
        "The certified copy of a receipt is told under the receipt's own id (Q93).",
        "It would be missing: each run asks again for those that are `pending`.",
    ),
)

AREAS = {"The session": SESSION, "Lists": LISTS, "Rows": ROWS, "Files": FILES}
ASSUMPTIONS = (*SESSION, *LISTS, *ROWS, *FILES)
