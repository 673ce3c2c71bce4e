"""The routes of the demo server: the data, OAuth, and what tests may ask of it."""
