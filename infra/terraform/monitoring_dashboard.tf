locals {
  # Two in a row, in this order. `distribution` figures are read at their median: each feed writes one number a sweep.
  charts = [
    { title = "Oldest unacked message", unit = "s", filter = "${local.subscription}/oldest_unacked_message_age\" AND ${local.push_queues}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue },
    { title = "Backlog", unit = "1", filter = "${local.subscription}/num_undelivered_messages\" AND ${local.push_queues}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue },
    { title = "Dead letters that wait", unit = "1", filter = "${local.subscription}/num_undelivered_messages\" AND ${local.kept_queues}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue },
    { title = "Dead letters recorded", unit = "1", filter = "${local.log_metric}/dead\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed },
    { title = "Freshness: age of the newest merged minute", unit = "min", filter = "${local.log_metric}/freshness_minutes\"", aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = local.by_feed },
    { title = "Coverage of the last 7 days", unit = "%", filter = "${local.log_metric}/coverage_percent\"", aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MIN", by = local.by_feed },
    { title = "Minutes missing, overdue or dead", unit = "1", filter = "${local.log_metric}/uncovered_minutes\"", aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = local.by_feed },
    { title = "Absent in a row", unit = "1", filter = "${local.log_metric}/absent_in_a_row\"", aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = local.by_feed },
    { title = "Push latency, 99 of 100", unit = "ms", filter = "${local.subscription}/push_request_latencies\"", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = local.by_queue },
    { title = "Pushes by answer", unit = "1", filter = "${local.subscription}/push_request_count\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["resource.label.subscription_id", "metric.label.response_class"] },
    { title = "Minutes landed", unit = "1", filter = "${local.log_metric}/landed\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed },
    { title = "Minutes loaded, a load job each", unit = "1", filter = "${local.log_metric}/loaded\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed },
    { title = "Merges", unit = "1", filter = "${local.log_metric}/merged\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed },
    { title = "Failed runs", unit = "1", filter = "${local.log_metric}/failed_runs\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service },
    { title = "Pushes to be delivered again", unit = "1", filter = "${local.log_metric}/retries\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service },
    { title = "Poison", unit = "1", filter = "${local.log_metric}/poison\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service },
    { title = "Absent at the source", unit = "1", filter = "${local.log_metric}/absent\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed },
    { title = "Stream pages delivered to SecOps", unit = "1", filter = "${local.log_metric}/pages_delivered\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service },
    { title = "Notifications too large", unit = "1", filter = "${local.log_metric}/oversize\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service },
    { title = "Instances", unit = "1", filter = "${local.run_resource} AND metric.type = \"run.googleapis.com/container/instance_count\"", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.service_name"] },
  ]

  # Sweeps come every ten minutes.
  chart_period = "600s"
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "gti-mesh"
    labels      = { app = "gti-mesh" }
    mosaicLayout = {
      columns = 48
      tiles = [
        for position, chart in local.charts : {
          xPos   = position % 2 * 24
          yPos   = floor(position / 2) * 12
          width  = 24
          height = 12
          widget = {
            title = chart.title
            xyChart = {
              yAxis = { scale = "LINEAR" }
              dataSets = [{
                plotType           = "LINE"
                minAlignmentPeriod = local.chart_period
                timeSeriesQuery = {
                  unitOverride = chart.unit
                  timeSeriesFilter = {
                    filter = chart.filter
                    aggregation = {
                      alignmentPeriod    = local.chart_period
                      perSeriesAligner   = chart.aligner
                      crossSeriesReducer = chart.reducer
                      groupByFields      = chart.by
                    }
                  }
                }
              }]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_logging_metric.counter, google_logging_metric.figure]
}
