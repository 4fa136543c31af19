# Counters and figures from the services' own log lines. docs/operations.md lists the lines; tests/terraform hold each
# pattern against the code.
locals {
  run_log = "resource.type=\"cloud_run_revision\""

  # name => which lines count. Every one is told apart by service and by feed (or stream).
  counters = {
    landed          = { pattern = "^downloader[.]landed:", description = "minutes landed in Cloud Storage" }
    loaded          = { pattern = "^loader[.]loaded:", description = "minutes loaded into staging" }
    merged          = { pattern = "^merger[.]merged:", description = "merges that moved rows" }
    absent          = { pattern = "^downloader[.]absent:", description = "minutes that the source does not have" }
    dead            = { pattern = "^loader[.]dead:", description = "dead letters recorded in the ledger" }
    poison          = { pattern = "^push[.]poison:", description = "messages that can never succeed" }
    retries         = { pattern = "^push[.]retry:", description = "pushes to be delivered again" }
    defects         = { pattern = "^(push|page)[.]failed", description = "failures that nobody foresaw" }
    failed_runs     = { pattern = "^feed[.]failed", description = "runs that failed for a feed or a stream" }
    too_late        = { pattern = "^(planner|secops)[.]too_late:", description = "what is lost at the source" }
    key_refused     = { pattern = "^(push[.]retry: KeyRefused|feed[.]failed: .*answered 401)", description = "answers of 401 from VirusTotal" }
    quota           = { pattern = "^(push[.]retry|feed[.]failed): .*(answered 429|[Qq]uota|[Ee]xceeded rate limits|RESOURCE_EXHAUSTED)", description = "work put off because a quota was spent" }
    pages_delivered = { pattern = "^secops[.]delivered:", description = "stream pages delivered to Google SecOps" }
    oversize        = { pattern = "^secops[.]oversize:", description = "notifications too large for any request" }
  }

  # name => a number on the line of every sweep, once in ten minutes for each feed.
  figures = {
    freshness_minutes = { description = "age of the newest merged minute", unit = "min", width = 10, buckets = 144 }
    uncovered_minutes = { description = "minutes of 7 days that are missing, overdue or dead", unit = "1", width = 10, buckets = 150 }
    coverage_percent  = { description = "share of the minutes of 7 days that are not", unit = "%", width = 1, buckets = 101 }
    absent_in_a_row   = { description = "most minutes in a row that the source did not have", unit = "1", width = 1, buckets = 120 }
  }
}

resource "google_logging_metric" "counter" {
  for_each = local.counters

  name        = "gti_mesh/${each.key}"
  description = each.value.description
  filter      = "${local.run_log} AND jsonPayload.message=~\"${each.value.pattern}\""

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = "gti-mesh: ${each.value.description}"

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

  depends_on = [google_project_service.this]
}

resource "google_logging_metric" "figure" {
  for_each = local.figures

  name            = "gti_mesh/${each.key}"
  description     = each.value.description
  filter          = "${local.run_log} AND jsonPayload.message=~\"^planner[.]sweep:\" AND jsonPayload.${each.key}>=0"
  value_extractor = "EXTRACT(jsonPayload.${each.key})"

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "DISTRIBUTION"
    unit         = each.value.unit
    display_name = "gti-mesh: ${each.value.description}"

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

  depends_on = [google_project_service.this]
}
