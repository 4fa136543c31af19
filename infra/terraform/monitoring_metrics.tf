# Counters and figures from the services' own log lines. docs/operations.md lists the lines; tests/terraform hold each
# of them against the code.
locals {
  run_log = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"${join("\" OR \"", [for name in keys(local.topology.services) : "${var.prefix}${name}"])}\")"

  # The family of the names; several meshes of a project have one each.
  metrics = "${replace(var.prefix, "-", "_")}gti_mesh"

  # name => which lines count, by their fields `event` and `error_type`. Each has labels for service and feed
  # (or stream). With a `chart` it is on the dashboard; without, an alarm reads it.
  counters = {
    landed          = { events = ["downloader.landed"], description = "minutes landed in Cloud Storage", chart = "Minutes landed" }
    loaded          = { events = ["loader.loaded"], description = "minutes loaded into staging", chart = "Minutes loaded, a load job each" }
    merged          = { events = ["merger.merged"], description = "merges that moved rows", chart = "Merges" }
    folded          = { events = ["merger.folded"], description = "folds of newest versions", chart = "Folds" }
    fold_overdue    = { events = ["merger.fold_overdue"], description = "runs of the merger that found too many rows waiting for a fold" }
    failed_folds    = { events = ["merger.fold_failed"], description = "folds that failed and changed nothing", chart = "Failed folds" }
    absent          = { events = ["downloader.absent"], description = "minutes that the source does not have", chart = "Absent at the source" }
    dead            = { events = ["loader.dead"], description = "dead letters recorded in the ledger", chart = "Dead letters recorded" }
    poison          = { events = ["push.poison"], description = "messages that can never succeed", chart = "Poison" }
    retries         = { events = ["push.retry"], description = "pushes to be delivered again", chart = "Pushes to be delivered again" }
    defects         = { events = ["push.failed", "page.failed"], description = "unexpected failures" }
    failed_runs     = { events = ["feed.failed"], description = "runs that failed for a feed or a stream", chart = "Failed runs" }
    sweeps          = { events = ["planner.sweep"], description = "sweeps" }
    too_late        = { events = ["planner.too_late", "secops.too_late"], description = "what is lost at the source" }
    cut_lists       = { events = ["downloader.list_cut"], description = "threat lists with more indicators than the source gives" }
    not_licensed    = { events = ["downloader.not_licensed", "feed.failed"], error_type = "not_licensed", description = "requests refused because the key has no licence" }
    key_refused     = { events = ["push.retry", "feed.failed"], error_type = "key_refused", description = "answers of 401 from VirusTotal" }
    quota           = { events = ["push.retry", "feed.failed"], error_type = "quota_spent", description = "work put off because a quota was spent" }
    destination     = { events = ["secops.destination_refused"], description = "requests that Google SecOps refuses whatever they hold" }
    pages_delivered = { events = ["secops.delivered"], description = "stream pages delivered to Google SecOps", chart = "Stream pages delivered to Google SecOps" }
    oversize        = { events = ["secops.oversize"], description = "notifications too large for any request", chart = "Notifications too large" }
  }

  # name => a number on the line of every sweep, once in ten minutes for each feed. `worst` is the feed that a chart shows
  # of several.
  figures = {
    freshness_minutes = { description = "age of the newest merged minute", unit = "min", width = 10, buckets = 144, chart = "Freshness: age of the newest merged minute", worst = "MAX" }
    uncovered_minutes = { description = "minutes of 7 days that are missing, overdue or dead", unit = "1", width = 10, buckets = 150, chart = "Minutes missing, overdue or dead", worst = "MAX" }
    coverage_percent  = { description = "share of the minutes of 7 days that are not", unit = "%", width = 1, buckets = 101, chart = "Coverage of the last 7 days", worst = "MIN" }
    absent_in_a_row   = { description = "most minutes in a row that the source did not have", unit = "1", width = 1, buckets = 120, chart = "Absent in a row", worst = "MAX" }
  }
}

resource "google_logging_metric" "counter" {
  for_each = local.counters

  project     = var.project_id
  name        = "${local.metrics}/${each.key}"
  description = each.value.description

  filter = join(" AND ", concat(
    [local.run_log, "jsonPayload.event=(\"${join("\" OR \"", each.value.events)}\")"],
    can(each.value.error_type) ? ["jsonPayload.error_type=\"${each.value.error_type}\""] : [],
  ))

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = "${local.name}: ${each.value.description}"

    labels {
      key         = "service"
      value_type  = "STRING"
      description = "The Cloud Run service."
    }

    labels {
      key         = "feed"
      value_type  = "STRING"
      description = "The feed or the stream."
    }
  }

  label_extractors = {
    service = "EXTRACT(resource.labels.service_name)"
    feed    = "EXTRACT(jsonPayload.feed)"
  }

  depends_on = [time_sleep.apis]
}

resource "google_logging_metric" "figure" {
  for_each = local.figures

  project         = var.project_id
  name            = "${local.metrics}/${each.key}"
  description     = each.value.description
  filter          = "${local.run_log} AND jsonPayload.event=\"planner.sweep\" AND jsonPayload.${each.key}>=0"
  value_extractor = "EXTRACT(jsonPayload.${each.key})"

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "DISTRIBUTION"
    unit         = each.value.unit
    display_name = "${local.name}: ${each.value.description}"

    labels {
      key         = "feed"
      value_type  = "STRING"
      description = "The feed."
    }
  }

  label_extractors = {
    feed = "EXTRACT(jsonPayload.feed)"
  }

  bucket_options {
    linear_buckets {
      num_finite_buckets = each.value.buckets
      width              = each.value.width
      offset             = 0
    }
  }

  depends_on = [time_sleep.apis]
}

# Calls of the schedules that a service has answered, with success or with a failure of its own; a call that is refused
# by IAM, or reaches nothing, has another status.
resource "google_logging_metric" "calls" {
  project     = var.project_id
  name        = "${local.metrics}/calls"
  description = "calls of the schedules that reached a service"

  filter = join(" AND ", [
    "resource.type=\"cloud_scheduler_job\"",
    "resource.labels.job_id=(\"${join("\" OR \"", [for name in keys(local.topology.schedules) : "${var.prefix}${name}"])}\")",
    "jsonPayload.\"@type\"=\"type.googleapis.com/google.cloud.scheduler.logging.AttemptFinished\"",
    "httpRequest.status=(200 OR 500)",
  ])

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = "${local.name}: calls of the schedules that reached a service"

    labels {
      key         = "schedule"
      value_type  = "STRING"
      description = "The Cloud Scheduler job."
    }
  }

  label_extractors = {
    schedule = "EXTRACT(resource.labels.job_id)"
  }

  depends_on = [time_sleep.apis]
}

# A policy that reads a metric made a moment ago is refused: Cloud Monitoring may need ten minutes to know it. Once a metric;
# the triggers make a later apply wait for those that it adds.
resource "time_sleep" "metrics" {
  create_duration = "600s"
  triggers = {
    metrics = join(",", sort(concat([for one in google_logging_metric.counter : one.name], [for one in google_logging_metric.figure : one.name], [google_logging_metric.calls.name])))
  }
}
