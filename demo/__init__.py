"""A faithful little Qonto on localhost: OAuth, every list, real-looking books, faults on demand.

Start it with `python -m demo`, or in a test with `demo.server.running()`, whose module describes
the handle. Nothing here is imported by the tap, and nothing of it is in the wheel.
"""
