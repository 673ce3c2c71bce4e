"""The server, as a process (`python -m demo`) and on a thread of a test.

    from demo.server import running

    with running(seed=7, organizations=4, transactions=240) as qonto:
        qonto.url                         "http://127.0.0.1:41237", data and OAuth alike
        qonto.config(**more)              settings for the tap: client_id, client_secret,
                                          refresh_token (a fresh seed), api_url, oauth_url,
                                          rate_limits []; plus what you give
        qonto.options                     the running `Options`; change a field, it counts at once
        qonto.requests                    list of `Received`: method, path, query (list of pairs),
                                          organization_id, status, started, ended (seconds)
        qonto.clock.advance(3600)         everything the server dates or expires moves on
        qonto.clock.now()                 aware datetime, UTC
        qonto.consent([id, ...])          what the user consents to from now on (user flow)
        qonto.issue(scope=..., flow="user", organizations=...)
                                          -> {"access_token", "refresh_token", ...} without a browser
        qonto.api_key(organization_id)    -> {"api_key_login": slug, "api_key_secret": ...}
        qonto.on_request = f              f(received) runs on the server's thread before each data
                                          answer: edit the bank there ("one edit per request")

    bank = qonto.bank
        bank.organizations                list of facts: .id .name .slug .country .empty ...
        bank.rows(stream, organization_id)            truth: what all pages together would hold
        bank.children(stream, organization_id)        the same by parent id (nested streams)
        bank.edit(stream, organization_id, row_id=None, **changes)  -> row; sets updated_at = now
        bank.add_transactions(organization_id, count=1, account_id=None, status="completed",
                              updated_at=None, **fields)  -> list of ids
        bank.delete(stream, organization_id, row_id)
        bank.advance(edits=5, adds=5)     -> {organization_id: {stream: [ids touched]}}

    faults = qonto.faults                 see demo/faults.py
        faults.add("status", status=503, path="/v2/transactions", times=3)
        faults.clear()

Another process has the same through `GET /demo/config`, `GET /demo/truth`, `POST /demo/advance`,
`POST /demo/faults`, `DELETE /demo/faults`, `POST /demo/consent`, `POST /demo/clock`.
"""
