"""The `counterfoil` command: one module per group of subcommands, assembled in `main`."""
