"""Django's PostgreSQL with a health check that costs no round trip: ``ENGINE`` of every database entry."""
