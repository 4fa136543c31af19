locals {
  # Every so many minutes, five minutes past the hour among them where that fits: 5,35 by default.
  merge_every = coalesce(var.tuning.merge_every_minutes, 30)
  merge_cron  = "${join(",", range(5 % local.merge_every, 60, local.merge_every))} * * * *"
  crons       = { for name, one in local.topology.schedules : name => one.service == "merger" ? local.merge_cron : one.cron }
}

resource "google_cloud_scheduler_job" "this" {
  for_each = local.topology.schedules

  project          = var.project_id
  name             = "${var.prefix}${each.key}"
  region           = var.region
  schedule         = local.crons[each.key]
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.deadline_seconds}s"
  paused           = !local.schedule_on[each.key]

  # Every call is idempotent, and the next one covers a missed one; so one quick retry is enough.
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
