"""What a ledger costs when it is full: memory per finished job, and accept and claim beside many of them."""
