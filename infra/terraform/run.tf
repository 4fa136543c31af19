# One image, one service an entry of the topology; FUNCTION_SOURCE and FUNCTION_TARGET say which it is.
resource "google_cloud_run_v2_service" "this" {
  for_each = local.topology.services

  project  = var.project_id
  name     = "${var.prefix}${each.key}"
  location = var.region
  labels   = merge(local.labels, { component = each.key })

  # Pushes and schedules of this project come from inside; people only see the status page, and only by IAM.
  ingress              = each.key == "status-page" ? var.status_page_ingress : "INGRESS_TRAFFIC_INTERNAL_ONLY"
  invoker_iam_disabled = false
  deletion_protection  = var.deletion_protection

  template {
    service_account                  = google_service_account.this[each.key].email
    timeout                          = "${each.value.timeout_seconds}s"
    max_instance_request_concurrency = each.value.concurrency
    encryption_key                   = local.encrypted ? var.keys.services : null

    scaling {
      min_instance_count = each.value.instances.min
      max_instance_count = each.value.instances.max
    }

    containers {
      image = var.image

      resources {
        limits            = { cpu = each.value.cpu, memory = each.value.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.environment[each.key], {
          FUNCTION_SOURCE = each.value.source
          FUNCTION_TARGET = each.value.target
          # As on one machine: one process, and as many threads as requests at once.
          WORKERS = "1"
          THREADS = tostring(each.value.concurrency)
        })

        content {
          name  = env.key
          value = env.value
        }
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 1
        failure_threshold = 60

        tcp_socket {
          port = 8080
        }
      }
    }
  }

  # Without it, what gcloud has set by `update-traffic` would stay for ever, and no later release would be given anything.
  dynamic "traffic" {
    for_each = lookup(var.traffic, each.key, { LATEST = 100 })

    content {
      type     = traffic.key == "LATEST" ? "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" : "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
      revision = traffic.key == "LATEST" ? null : traffic.key
      percent  = traffic.value
    }
  }

  # A revision that may not read its key, publish, load or import would nack what it is given.
  depends_on = [
    time_sleep.apis,
    time_sleep.keys,
    google_bigquery_dataset.this,
    google_project_iam_member.secops,
    google_project_iam_member.this,
    google_pubsub_topic_iam_member.this,
    google_secret_manager_secret_iam_member.this,
    google_storage_bucket_iam_member.this,
  ]
}

# Bucket, dataset and tables as the code declares them; run once after every apply that changes feeds or the image.
resource "google_cloud_run_v2_job" "provision" {
  project             = var.project_id
  name                = "${var.prefix}provision"
  labels              = merge(local.labels, { component = "provision" })
  location            = var.region
  deletion_protection = var.deletion_protection

  template {
    template {
      service_account = google_service_account.this["provision"].email
      timeout         = "1800s"
      encryption_key  = local.encrypted ? var.keys.services : null
      # It is idempotent, but what failed once deserves a look.
      max_retries = 0

      containers {
        image   = var.image
        command = ["gti-mesh"]
        args    = ["provision"]

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        dynamic "env" {
          for_each = local.environment["provision"]

          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }

  depends_on = [
    time_sleep.apis,
    time_sleep.keys,
    google_bigquery_dataset.this,
    google_project_iam_member.this,
    google_storage_bucket_iam_member.this,
  ]
}
