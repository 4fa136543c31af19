"""The status page: one HTML document, and the JSON that it polls; nothing that it answers can change anything."""
