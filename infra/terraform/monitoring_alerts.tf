# What needs a person, and where docs/operations.md says what to do about it. A threshold condition is a list of series
# that each count on their own; a condition without a threshold means that the series has fallen silent.
locals {
  by_feed    = ["metric.label.feed"]
  by_service = ["metric.label.service", "metric.label.feed"]
  by_queue   = ["resource.label.subscription_id"]

  subscription = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription"
  log_metric   = "${local.run_resource} AND metric.type = \"logging.googleapis.com/user/gti_mesh"
  run_resource = "resource.type = \"cloud_run_revision\""
  push_queues  = "resource.label.subscription_id = one_of(\"${join("\",\"", keys(local.pushes))}\")"
  kept_queues  = "resource.label.subscription_id = one_of(\"${join("\",\"", keys(local.keeping))}\")"

  alerts = {
    backlog = {
      title  = "a message has waited for over an hour"
      anchor = "the-backlog-grows"
      conditions = {
        "oldest unacked message" = {
          filter = "${local.subscription}/oldest_unacked_message_age\" AND ${local.push_queues}"
          period = 300, aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue, above = 3600, for = 300
        }
      }
    }
    dead-letters = {
      title  = "a dead letter waits"
      anchor = "dead-letters"
      conditions = {
        "messages kept for the operator" = {
          filter = "${local.subscription}/num_undelivered_messages\" AND ${local.kept_queues}"
          period = 300, aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = local.by_queue, above = 0, for = 0
        }
      }
    }
    freshness = {
      title   = "a feed is stale"
      anchor  = "a-feed-is-stale"
      enabled = local.feeds
      conditions = {
        # Availability, grace and two missed merges: what `gti-mesh status` calls stale.
        "age of the newest merged minute" = {
          filter = "${local.log_metric}/freshness_minutes\""
          period = 1200, aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = local.by_feed, above = 150, for = 0
        }
        "no sweep tells how fresh it is" = {
          filter = "${local.log_metric}/freshness_minutes\""
          period = 1200, aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = local.by_feed, for = 3600
        }
      }
    }
    coverage = {
      title   = "minutes are missing for two hours"
      anchor  = "a-minute-is-missing"
      enabled = local.feeds
      conditions = {
        "minutes missing, overdue or dead" = {
          filter = "${local.log_metric}/uncovered_minutes\""
          # The first bucket holds 0 to 9 minutes, which the sweep brings in by itself.
          period = 1200, aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = local.by_feed, above = 10, for = 7200
        }
      }
    }
    merge = {
      title   = "two merges in a row failed"
      anchor  = "a-minute-stands-still"
      enabled = local.feeds
      conditions = {
        "failed merges" = {
          # Each of two schedules calls again once after a failure.
          filter = "${local.log_metric}/failed_runs\" AND metric.label.service = \"merger\""
          period = 3900, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed, above = 2, for = 0
        }
        "merges answered by 5xx" = {
          filter = "${local.run_resource} AND metric.type = \"run.googleapis.com/request_count\" AND resource.label.service_name = \"merger\" AND metric.label.response_code_class = \"5xx\""
          period = 3900, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [], above = 2, for = 0
        }
      }
    }
    runs = {
      title  = "planner or poll fails again and again"
      anchor = "how-to-read-the-logs"
      conditions = {
        "failed runs" = {
          filter = "${local.log_metric}/failed_runs\" AND metric.label.service = one_of(\"planner\",\"secops-poll\")"
          period = 1800, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service, above = 5, for = 0
        }
      }
    }
    absent = {
      title   = "the source has no package for minutes in a row"
      anchor  = "minutes-absent-in-a-row"
      enabled = local.feeds
      conditions = {
        "absent in a row" = {
          filter = "${local.log_metric}/absent_in_a_row\""
          # A bucket is one wide, so that 5 reads between 5 and 6, and 6 above that.
          period = 1200, aligner = "ALIGN_PERCENTILE_50", reducer = "REDUCE_MAX", by = local.by_feed, above = 6, for = 0
        }
      }
    }
    quota = {
      title  = "a quota is spent"
      anchor = "a-quota-is-spent"
      conditions = {
        "work put off" = {
          filter = "${local.log_metric}/quota\""
          period = 1800, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service, above = 30, for = 0
        }
        "a quota of Google Cloud" = {
          filter = "resource.type = \"consumer_quota\" AND metric.type = \"serviceruntime.googleapis.com/quota/exceeded\" AND resource.label.service = one_of(\"bigquery.googleapis.com\",\"pubsub.googleapis.com\",\"run.googleapis.com\")"
          period = 300, aligner = "ALIGN_COUNT_TRUE", reducer = "REDUCE_SUM", by = ["resource.label.service", "metric.label.quota_metric"], above = 0, for = 0
        }
      }
    }
    key = {
      title  = "VirusTotal refuses the key"
      anchor = "the-key-is-refused"
      conditions = {
        "answers of 401" = {
          filter = "${local.log_metric}/key_refused\""
          period = 600, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service, above = 0, for = 0
        }
      }
    }
    lost = {
      title  = "the mesh stood still for longer than the source keeps"
      anchor = "how-to-read-the-logs"
      conditions = {
        "lost at the source" = {
          filter = "${local.log_metric}/too_late\""
          period = 600, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service, above = 0, for = 0
        }
      }
    }
    defect = {
      title  = "a failure that nobody foresaw"
      anchor = "how-to-read-the-logs"
      conditions = {
        "unforeseen failures" = {
          filter = "${local.log_metric}/defects\""
          period = 600, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service, above = 0, for = 0
        }
      }
    }
  }
}
