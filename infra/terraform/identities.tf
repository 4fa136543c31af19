resource "google_service_account" "this" {
  for_each = local.access.identities

  account_id   = "gti-mesh-${each.key}"
  display_name = "gti-mesh ${each.key}"

  depends_on = [google_project_service.this]
}

# Pub/Sub pushes as this one, and it may do nothing else.
resource "google_service_account" "push" {
  account_id   = "gti-mesh-push"
  display_name = "gti-mesh: pushes of Pub/Sub"

  depends_on = [google_project_service.this]
}

# Cloud Scheduler calls as this one, and it may do nothing else.
resource "google_service_account" "scheduler" {
  account_id   = "gti-mesh-scheduler"
  display_name = "gti-mesh: calls of Cloud Scheduler"

  depends_on = [google_project_service.this]
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = toset([for one in local.pushes : one.push.service])

  name     = google_cloud_run_v2_service.this[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  for_each = toset([for one in local.topology.schedules : one.service])

  name     = google_cloud_run_v2_service.this[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

# The status page shows reasons as they were written: it is for operators only.
resource "google_cloud_run_v2_service_iam_member" "operator" {
  for_each = toset(var.operators)

  name     = google_cloud_run_v2_service.this["console"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.key
}

# Pub/Sub itself hands on dead letters and signs the tokens of its pushes.
locals {
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_service_account_iam_member" "push_token" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent

  depends_on = [google_pubsub_topic.this] # The agent comes into being with the first topic.
}

resource "google_pubsub_topic_iam_member" "agent" {
  for_each = toset([for one in local.pushes : one.dead_letter.topic if can(one.dead_letter)])

  topic  = google_pubsub_topic.this[each.key].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "agent" {
  for_each = toset([for name, one in local.pushes : name if can(one.dead_letter)])

  subscription = google_pubsub_subscription.this[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
