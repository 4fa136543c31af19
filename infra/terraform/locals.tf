locals {
  topology = yamldecode(file("${path.module}/../topology.yaml"))
  access   = yamldecode(file("${path.module}/../access.yaml"))

  streams       = yamldecode(file("${path.module}/../../shared/streams/streams.yaml"))
  known_streams = keys(local.streams)

  # The definitions of feeds, and of streams that can go into BigQuery.
  definitions    = [for file in fileset("${path.module}/../../shared/feeds", "*.yaml") : trimsuffix(file, ".yaml")]
  known_feeds    = sort(setsubtract(local.definitions, local.known_streams))
  stream_feeds   = sort(setintersection(local.definitions, local.known_streams))
  landing_prefix = [for name in concat(local.known_feeds, local.stream_feeds) : "${name}/"]

  # By name, what people see; several meshes of a project are told apart by it.
  name   = "${var.prefix}gti-mesh"
  labels = merge(var.labels, { app = "gti-mesh", mesh = local.name })

  bucket  = coalesce(var.landing_bucket, "${var.project_id}-${var.prefix}gti-mesh-landing")
  dataset = coalesce(var.dataset, "${replace(var.prefix, "-", "_")}vt_feeds")
  secret  = coalesce(var.vt_api_key_secret, "${var.prefix}vt-api-key")
  secops  = var.secops.customer_id != ""
  feeds   = length(var.feeds) + length(var.streams_to_bigquery) > 0
  polls   = local.secops || length(var.streams_to_bigquery) > 0
  pushes  = { for name, one in local.topology.subscriptions : name => one if can(one.push) }
  keeping = { for name, one in local.topology.subscriptions : name => one if !can(one.push) }

  # The address of a SecOps instance holds the project that it is bound to, which need not be this one.
  secops_project = coalesce(var.secops.project, var.project_id)

  # What each schedule works for: without it the schedule rests, and nothing is taken down.
  schedule_on = {
    for name, one in local.topology.schedules : name => startswith(one.service, "secops-") ? local.polls : local.feeds
  }
}

data "google_project" "this" {
  project_id = var.project_id
}
