"""The pages that `scripts/docs.py` makes."""
