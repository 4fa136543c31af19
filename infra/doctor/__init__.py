"""`gti-mesh doctor`: checks of a real project, and of behaviours of Google Cloud that its documentation leaves open."""
