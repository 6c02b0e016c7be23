"""The alert service: database, routes, live feed and the operator console."""
