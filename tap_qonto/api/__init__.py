"""What is between us and Qonto: the contract, requests and responses, the rate limit."""
