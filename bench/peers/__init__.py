"""What the gateway is measured beside. Each module is one small WSGI application, `app`."""
