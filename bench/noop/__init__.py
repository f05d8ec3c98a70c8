"""What a job costs that does nothing: our worker and plain Celery's, with the same pool, on the same server."""
