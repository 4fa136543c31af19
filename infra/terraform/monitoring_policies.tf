# Who is told: by e-mail, and by channels that exist already.
locals {
  channels = concat([for channel in google_monitoring_notification_channel.email : channel.id], tolist(var.notification_channels))
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  project      = var.project_id
  display_name = "${local.name}: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
  user_labels  = local.labels

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  project      = var.project_id
  display_name = "${local.name}: ${each.value.title}"
  combiner     = "OR"
  enabled      = try(each.value.enabled, true)
  severity     = contains(["freshness", "lost", "key"], each.key) ? "CRITICAL" : "WARNING"
  user_labels  = local.labels

  notification_channels = local.channels

  dynamic "conditions" {
    for_each = each.value.conditions

    content {
      display_name = conditions.key

      dynamic "condition_threshold" {
        for_each = can(conditions.value.above) ? [conditions.value] : []

        content {
          filter          = condition_threshold.value.filter
          comparison      = "COMPARISON_GT"
          threshold_value = condition_threshold.value.above
          duration        = "${condition_threshold.value.for}s"

          # A log-based metric writes nothing while nothing happens, and that is not trouble.
          evaluation_missing_data = condition_threshold.value.for > 0 ? "EVALUATION_MISSING_DATA_INACTIVE" : null

          aggregations {
            alignment_period     = "${condition_threshold.value.period}s"
            per_series_aligner   = condition_threshold.value.aligner
            cross_series_reducer = condition_threshold.value.reducer
            group_by_fields      = condition_threshold.value.by
          }

          trigger {
            count = 1
          }
        }
      }

      dynamic "condition_absent" {
        for_each = can(conditions.value.above) ? [] : [conditions.value]

        content {
          filter   = condition_absent.value.filter
          duration = "${condition_absent.value.for}s"

          aggregations {
            alignment_period     = "${condition_absent.value.period}s"
            per_series_aligner   = condition_absent.value.aligner
            cross_series_reducer = condition_absent.value.reducer
            group_by_fields      = condition_absent.value.by
          }

          trigger {
            count = 1
          }
        }
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    subject   = "${local.name}: ${each.value.title}"
    mime_type = "text/markdown"
    content   = "What it means and the step to take: docs/operations.md#${each.value.anchor}. First look: `gti-mesh status`."

    dynamic "links" {
      for_each = var.docs_url == null ? [] : [var.docs_url]

      content {
        display_name = "Runbook"
        url          = "${links.value}/operations.md#${each.value.anchor}"
      }
    }
  }

  depends_on = [time_sleep.metrics]
}
