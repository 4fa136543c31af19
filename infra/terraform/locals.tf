locals {
  topology = yamldecode(file("${path.module}/../topology.yaml"))
  access   = yamldecode(file("${path.module}/access.yaml"))

  known_feeds   = sort([for file in fileset("${path.module}/../../shared/feeds", "*.yaml") : trimsuffix(file, ".yaml")])
  known_streams = keys(yamldecode(file("${path.module}/../../shared/streams.yaml")))

  labels  = merge(var.labels, { app = "gti-mesh" })
  bucket  = coalesce(var.landing_bucket, "${var.project_id}-gti-mesh-landing")
  secops  = var.secops.customer_id != ""
  feeds   = length(var.feeds) > 0
  pushes  = { for name, one in local.topology.subscriptions : name => one if can(one.push) }
  keeping = { for name, one in local.topology.subscriptions : name => one if !can(one.push) }

  # The address of a SecOps instance holds the project that it is bound to, which need not be this one.
  secops_project = coalesce(var.secops.project, var.project_id)

  # What each schedule works for: without it the schedule rests, and nothing is taken down.
  schedule_on = {
    for name, one in local.topology.schedules : name => startswith(one.service, "secops-") ? local.secops : local.feeds
  }
}

data "google_project" "this" {
  project_id = var.project_id
}
