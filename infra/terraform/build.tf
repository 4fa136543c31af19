# Cloud Build's default account may hold no rights in a new project; builds run as this one instead.
resource "google_service_account" "build" {
  count = var.cloud_build ? 1 : 0

  project      = var.project_id
  account_id   = "${local.name}-build"
  display_name = "${local.name}: builds of the image"

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_member" "build" {
  # checkov:skip=CKV_GCP_49:The role that Google documents for a build's own account. It is made on request only, and only those who may act as it can start a build with it.
  count = var.cloud_build ? 1 : 0

  project = var.project_id
  role    = "roles/cloudbuild.builds.builder"
  member  = google_service_account.build[0].member

  depends_on = [time_sleep.accounts]
}
