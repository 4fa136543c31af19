locals {
  # Two in a row, in this order.
  charts = concat(
    [
      { title = "Oldest unacked message", unit = "s", filter = "${local.subscription}/oldest_unacked_message_age\" AND ${local.push_queues}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue },
      { title = "Backlog", unit = "1", filter = "${local.subscription}/num_undelivered_messages\" AND ${local.push_queues}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue },
      { title = "Dead letters that wait", unit = "1", filter = "${local.subscription}/num_undelivered_messages\" AND ${local.kept_queues}", aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue },
      { title = "Instances", unit = "1", filter = "${local.run_resource} AND metric.type = \"run.googleapis.com/container/instance_count\" AND ${local.own_services}", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.service_name"] },
      { title = "Push latency, 99 of 100", unit = "us", filter = "${local.subscription}/push_request_latencies\" AND ${local.push_queues}", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", by = local.by_queue },
      { title = "Pushes by answer", unit = "1", filter = "${local.subscription}/push_request_count\" AND ${local.push_queues}", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["resource.label.subscription_id", "metric.label.response_class"] },
    ],
    # Read at their median: each feed writes one number a sweep.
    [
      for name, one in local.figures :
      { title = one.chart, unit = one.unit, filter = "${local.log_metric}/${name}\"", aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_${one.worst}", by = local.by_feed }
    ],
    [
      for name, one in local.counters :
      { title = one.chart, unit = "1", filter = "${local.log_metric}/${name}\"", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service } if can(one.chart)
    ],
  )

  # Sweeps come every ten minutes.
  chart_period = "600s"
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = local.name
    labels      = { app = "gti-mesh" }
    mosaicLayout = {
      columns = 48
      tiles = [
        for position, chart in local.charts : merge({
          # The API leaves out a position of 0, and Terraform would set it again in every plan.
          for name, place in { xPos = position % 2 * 24, yPos = floor(position / 2) * 12 } : name => place if place > 0
          }, {
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
        })
      ]
    }
  })

  depends_on = [time_sleep.metrics]
}
