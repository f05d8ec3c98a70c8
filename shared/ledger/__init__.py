"""shared/ledger."""
