# The key itself is added by hand (gcloud secrets versions add), so that it is never in a state file.
locals {
  # With a key of one's own a replica lies where the key does.
  secret_locations = length(var.secret_locations) > 0 ? var.secret_locations : local.encrypted ? [var.region] : []
}

resource "google_secret_manager_secret" "vt_api_key" {
  project   = var.project_id
  secret_id = local.secret
  labels    = local.labels

  replication {
    dynamic "auto" {
      for_each = length(local.secret_locations) == 0 ? [true] : []

      content {}
    }

    dynamic "user_managed" {
      for_each = length(local.secret_locations) > 0 ? [local.secret_locations] : []

      content {
        dynamic "replicas" {
          for_each = user_managed.value

          content {
            location = replicas.value

            dynamic "customer_managed_encryption" {
              for_each = local.encrypted ? [var.keys.services] : []

              content {
                kms_key_name = customer_managed_encryption.value
              }
            }
          }
        }
      }
    }
  }

  depends_on = [time_sleep.apis, time_sleep.keys]

  lifecycle {
    prevent_destroy = true
  }
}
