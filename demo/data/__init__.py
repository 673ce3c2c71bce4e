"""What the demo server's organizations have: functions from an organization's facts to rows."""
