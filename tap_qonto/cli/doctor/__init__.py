"""What is assumed of Qonto, and a command that asks a real account whether it is so."""
