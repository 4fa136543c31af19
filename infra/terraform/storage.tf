resource "google_storage_bucket" "landing" {
  project  = var.project_id
  name     = local.bucket
  location = var.location
  labels   = local.labels

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  dynamic "encryption" {
    for_each = local.encrypted ? [var.keys.data] : []

    content {
      default_kms_key_name = encryption.value
    }
  }

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
      matches_prefix = concat(local.landing_prefix, ["state/content/"])
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
      matches_prefix        = local.landing_prefix
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

  depends_on = [time_sleep.apis, time_sleep.keys]

  lifecycle {
    prevent_destroy = true
  }
}
