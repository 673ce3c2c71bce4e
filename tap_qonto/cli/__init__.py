"""Commands beside the tap: `tap-qonto-auth`."""
