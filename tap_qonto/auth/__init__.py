"""The life of the user token: stored, refreshed once for all, put on every request."""
