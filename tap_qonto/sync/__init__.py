"""Singer's side: partitions, records, messages, bookmarks, and how a run ends."""
