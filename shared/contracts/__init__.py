"""The contracts between the services: messages, minutes, manifests, outcomes, interfaces."""
