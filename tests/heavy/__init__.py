"""What is too heavy for the suite, each a command of its own."""
