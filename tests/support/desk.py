"""A user's desk without a browser: approves everything on the demo's consent page, argv[1]."""

from __future__ import annotations

import re
import sys
import urllib.request
from urllib.parse import urlencode, urljoin

page = urllib.request.urlopen(sys.argv[1], timeout=20).read().decode()
fields = [
    (name, value.replace("&amp;", "&"))
    for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
]
fields += [
    ("organization", one) for one in re.findall(r'name="organization" value="([^"]+)"', page)
]
form = urlencode([*fields, ("decision", "approve")]).encode()
urllib.request.urlopen(urljoin(sys.argv[1], "/oauth2/auth"), form, timeout=60)  # to the loopback
