"""Files kept: found (`documents`), fetched (`download`), named, put away (`store`, `archive`)."""
