"""The mail catcher: an SMTP server that delivers to nobody, keeps every mail as a file and shows it in a browser."""
