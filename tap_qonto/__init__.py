"""Singer tap for Qonto: every resource of every organization that a user consented to."""
