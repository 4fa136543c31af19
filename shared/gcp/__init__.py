"""Adapters to Google Cloud, one module per product, so that a service imports only what it uses."""
