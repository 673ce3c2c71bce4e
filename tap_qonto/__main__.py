"""`python -m tap_qonto` is `tap-qonto`."""

from tap_qonto.tap import TapQonto

if __name__ == "__main__":
    TapQonto.cli()
