resource "google_pubsub_topic" "this" {
  for_each = local.topology.topics

  project                    = var.project_id
  name                       = "${var.prefix}${each.key}"
  message_retention_duration = "${each.value.retention_seconds}s"
  labels                     = local.labels
  kms_key_name               = local.encrypted ? var.keys.services : null

  dynamic "message_storage_policy" {
    for_each = length(var.message_regions) > 0 ? [var.message_regions] : []

    content {
      allowed_persistence_regions = message_storage_policy.value
    }
  }

  depends_on = [time_sleep.apis, time_sleep.keys]
}

resource "google_pubsub_subscription" "this" {
  for_each = local.topology.subscriptions

  project                    = var.project_id
  name                       = "${var.prefix}${each.key}"
  topic                      = google_pubsub_topic.this[each.value.topic].id
  ack_deadline_seconds       = each.value.ack_deadline_seconds
  message_retention_duration = "${each.value.retention_seconds}s"
  filter                     = try(each.value.filter, null)
  labels                     = local.labels

  # Nothing expires: by default a subscription is deleted, with its backlog, after a quiet month.
  expiration_policy {
    ttl = ""
  }

  dynamic "push_config" {
    for_each = can(each.value.push) ? [each.value.push] : []

    content {
      push_endpoint = "${google_cloud_run_v2_service.this[push_config.value.service].uri}${push_config.value.path}"

      oidc_token {
        service_account_email = google_service_account.push.email
        audience              = google_cloud_run_v2_service.this[push_config.value.service].uri
      }
    }
  }

  dynamic "retry_policy" {
    for_each = can(each.value.backoff) ? [each.value.backoff] : []

    content {
      minimum_backoff = "${retry_policy.value.minimum_seconds}s"
      maximum_backoff = "${retry_policy.value.maximum_seconds}s"
    }
  }

  dynamic "dead_letter_policy" {
    for_each = can(each.value.dead_letter) ? [each.value.dead_letter] : []

    content {
      dead_letter_topic     = google_pubsub_topic.this[dead_letter_policy.value.topic].id
      max_delivery_attempts = dead_letter_policy.value.max_attempts
    }
  }

  depends_on = [
    google_cloud_run_v2_service_iam_member.push,
    google_service_account_iam_member.push_token,
  ]

  lifecycle {
    # A subscription that is recreated has lost its backlog.
    prevent_destroy = true
  }
}
