"""Singer tap for Qonto, in rooms. Imports only go down this list, also those for types.

__main__       `python -m tap_qonto`
cli            the commands of `tap-qonto-auth`, doctor among them
tap            what users start
streams.files  the stream `files`, and what keeps the files
streams        what Qonto offers: declarations by area, and their bases
sync           Singer's side: partitions, records, messages, bookmarks, how a run ends
pagination     how a list is read without loss; knows neither Singer nor HTTP
auth           the session: tokens, refresh, token store
api            what is between us and Qonto: contract, requests, responses, rate limit
settings       what users set
errors         what can go wrong, and what repairs it
"""
