"""The feeds as data: one YAML file each, read by shared.feeds.definition."""
