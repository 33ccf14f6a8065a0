"""The project: settings, URLs, the WSGI application."""
