"""services/mailer."""
