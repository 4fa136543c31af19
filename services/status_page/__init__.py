"""The status page: one HTML document, and the JSON that it polls; read-only."""
