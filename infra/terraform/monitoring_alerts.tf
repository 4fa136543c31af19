# What needs a person, and where docs/operations.md says what to do about it. A threshold condition is a list of series
# that each count on their own; a condition without a threshold means that the series has fallen silent.
locals {
  by_feed    = ["metric.label.feed"]
  by_service = ["metric.label.service", "metric.label.feed"]
  by_queue   = ["resource.label.subscription_id"]

  subscription = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription"
  log_metric   = "${local.run_resource} AND metric.type = \"logging.googleapis.com/user/${local.metrics}"
  run_resource = "resource.type = \"cloud_run_revision\""
  push_queues  = "resource.label.subscription_id = one_of(\"${join("\",\"", [for name in keys(local.pushes) : "${var.prefix}${name}"])}\")"
  own_services = "resource.label.service_name = one_of(\"${join("\",\"", [for name in keys(local.topology.services) : "${var.prefix}${name}"])}\")"
  kept_queues  = "resource.label.subscription_id = one_of(\"${join("\",\"", [for name in keys(local.keeping) : "${var.prefix}${name}"])}\")"

  # The schedules that are not paused, and how often each calls.
  calling = [for name, on in local.schedule_on : name if on]
  calls_an_hour = {
    for name, one in local.crons : name => (
      startswith(one, "*/") ? 60 / tonumber(trimprefix(split(" ", one)[0], "*/")) :
      startswith(one, "*") ? 60 : length(split(",", split(" ", one)[0]))
    )
  }

  # Two runs of the merger, in seconds.
  two_merges = 120 * local.merge_every + 300

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
        # Not of the figures: a sweep leaves them out while the feed has a condition, which has an alarm of its own.
        "no sweep reports its freshness" = {
          filter = "${local.log_metric}/sweeps\""
          period = 1200, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed, for = 3600
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
      anchor  = "a-minute-is-stuck"
      enabled = local.feeds
      conditions = {
        "failed merges" = {
          # The schedule calls again once after a failure.
          filter = "${local.log_metric}/failed_runs\" AND metric.label.service = \"${var.prefix}merger\""
          period = local.two_merges, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed, above = 2, for = 0
        }
        "merges answered by 5xx" = {
          filter = "${local.run_resource} AND metric.type = \"run.googleapis.com/request_count\" AND resource.label.service_name = \"${var.prefix}merger\" AND metric.label.response_code_class = \"5xx\""
          period = local.two_merges, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = [], above = 2, for = 0
        }
      }
    }
    fold = {
      title   = "newest versions wait for a fold"
      anchor  = "folds-fail"
      enabled = local.feeds
      conditions = {
        # One run may find what it folds itself; two in a row have not.
        "rows that wait for a fold" = {
          filter = "${local.log_metric}/fold_overdue\""
          period = local.two_merges, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed, above = 1, for = 0
        }
      }
    }
    schedules = {
      title   = "a schedule does not reach its service"
      anchor  = "a-schedule-is-silent"
      enabled = length(local.calling) > 0
      # A policy without conditions is refused, and one of schedules that all rest is off.
      conditions = {
        for name in length(local.calling) > 0 ? local.calling : keys(local.topology.schedules) : name => {
          filter = "resource.type = \"cloud_scheduler_job\" AND metric.type = \"logging.googleapis.com/user/${local.metrics}/calls\" AND metric.label.schedule = \"${var.prefix}${name}\""
          # Two calls and a half, and not before a quarter of an hour.
          period = 300, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.schedule"], for = max(900, 300 * ceil(30 / local.calls_an_hour[name]))
        }
      }
    }
    runs = {
      title  = "planner or poll fails again and again"
      anchor = "how-to-read-the-logs"
      conditions = {
        "failed runs" = {
          filter = "${local.log_metric}/failed_runs\" AND metric.label.service = one_of(\"${var.prefix}planner\",\"${var.prefix}secops-poll\")"
          # The sweep is the rarest of these: three runs, and the schedule calls again once after each failure.
          period = 1800, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service, above = 5, for = 0
        }
        "failed runs that remove dead letters" = {
          # Two runs, an hour apart.
          filter = "${local.log_metric}/failed_runs\" AND metric.label.service = \"${var.prefix}planner\" AND metric.label.feed = \"dead-letters\""
          period = 7500, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_service, above = 2, for = 0
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
    licence = {
      title  = "the key has no licence for a feed or a stream"
      anchor = "a-feed-is-not-licensed"
      conditions = {
        # The planner asks once a minute, a poll every five, so the incident stays open until something is given again.
        "requests refused" = {
          filter = "${local.log_metric}/not_licensed\""
          period = 600, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed, above = 0, for = 0
        }
      }
    }
    destination = {
      title   = "Google SecOps accepts nothing"
      anchor  = "a-page-is-not-delivered"
      enabled = local.secops
      conditions = {
        # Push retries at least every ten minutes, so the incident stays open until a request is accepted.
        "requests refused" = {
          filter = "${local.log_metric}/destination\""
          period = 900, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed, above = 0, for = 0
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
    cut = {
      title   = "a threat list has more than the source gives"
      anchor  = "a-threat-list-is-cut"
      enabled = local.feeds
      conditions = {
        "types of lists that are full" = {
          filter = "${local.log_metric}/cut_lists\""
          period = 600, aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = local.by_feed, above = 0, for = 0
        }
      }
    }
    defect = {
      title  = "an unexpected failure"
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
