resource "google_storage_bucket" "landing" {
  name     = local.bucket
  location = var.location

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # A week, as long as the source keeps a minute, to take back what was deleted or overwritten.
  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  # Data and manifest go together: a manifest whose data is gone makes every replay of its minute a dead letter.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.landing_days
      matches_prefix = [for feed in local.known_feeds : "${feed}/"]
      matches_suffix = [".ndjson.gz", ".json"]
    }
  }

  # Rejects are the only place where those lines are.
  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "NEARLINE"
    }

    condition {
      age                   = 30
      matches_prefix        = [for feed in local.known_feeds : "${feed}/"]
      matches_suffix        = ["rejects.ndjson"]
      matches_storage_class = ["STANDARD"]
    }
  }

  # The pages of a stream are its log, where every poll goes on; what was taken out of a dead-letter queue is a record.
  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "NEARLINE"
    }

    condition {
      age                   = 30
      matches_prefix        = ["streams/", "dead/"]
      matches_storage_class = ["STANDARD"]
    }
  }

  depends_on = [google_project_service.this]

  lifecycle {
    prevent_destroy = true
  }
}
