"""Ratios: the tap against a plain SDK tap, two peers and the limit, in one run. `make bench`."""
