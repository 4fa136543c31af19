resource "google_service_account" "this" {
  for_each = local.access.identities

  project      = var.project_id
  account_id   = "${local.name}-${each.key}"
  display_name = "${local.name} ${each.key}"

  depends_on = [time_sleep.apis]
}

# Pub/Sub pushes as this one, and it may do nothing else.
resource "google_service_account" "push" {
  project      = var.project_id
  account_id   = "${local.name}-push"
  display_name = "${local.name}: pushes of Pub/Sub"

  depends_on = [time_sleep.apis]
}

# Cloud Scheduler calls as this one, and it may do nothing else.
resource "google_service_account" "scheduler" {
  project      = var.project_id
  account_id   = "${local.name}-scheduler"
  display_name = "${local.name}: calls of Cloud Scheduler"

  depends_on = [time_sleep.apis]
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = toset([for one in local.pushes : one.push.service])

  project  = var.project_id
  name     = google_cloud_run_v2_service.this[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  for_each = toset([for one in local.topology.schedules : one.service])

  project  = var.project_id
  name     = google_cloud_run_v2_service.this[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

# The status page shows reasons as they were written: it is for operators only. To open it through gcloud's proxy takes the
# right to look at the service too.
resource "google_cloud_run_v2_service_iam_member" "operator" {
  for_each = local.service_grants

  project  = var.project_id
  name     = google_cloud_run_v2_service.this[each.value.service].name
  location = var.region
  role     = each.value.role
  member   = each.value.member
}

resource "google_cloud_run_v2_job_iam_member" "operator" {
  for_each = local.job_grants

  project  = var.project_id
  name     = google_cloud_run_v2_job.provision.name
  location = var.region
  role     = each.value.role
  member   = each.value.member
}

# Pub/Sub's agent hands on dead letters and signs the tokens of its pushes.
resource "google_service_account_iam_member" "push_token" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent

  depends_on = [time_sleep.accounts]
}

resource "google_pubsub_topic_iam_member" "agent" {
  for_each = toset([for one in local.pushes : one.dead_letter.topic if can(one.dead_letter)])

  project = var.project_id
  topic   = google_pubsub_topic.this[each.key].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent

  depends_on = [time_sleep.accounts]
}

resource "google_pubsub_subscription_iam_member" "agent" {
  for_each = toset([for name, one in local.pushes : name if can(one.dead_letter)])

  project      = var.project_id
  subscription = google_pubsub_subscription.this[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent

  depends_on = [time_sleep.accounts]
}
