resource "google_cloud_scheduler_job" "this" {
  for_each = local.topology.schedules

  name             = each.key
  region           = var.region
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.deadline_seconds}s"
  paused           = !local.schedule_on[each.key]

  # Every call can be repeated, and one that is missed is made up for by the next; so once more, and soon.
  retry_config {
    retry_count          = 1
    min_backoff_duration = "10s"
    max_backoff_duration = "30s"
  }

  http_target {
    http_method = "POST"
    uri         = "${google_cloud_run_v2_service.this[each.value.service].uri}${each.value.path}"
    body        = base64encode("{}")
    headers     = { "Content-Type" = "application/json" }

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = google_cloud_run_v2_service.this[each.value.service].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.scheduler]
}
