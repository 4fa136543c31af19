locals {
  apis = toset(local.access.apis)

  # Those that only a part needs which may be off.
  optional_apis = toset(concat(
    local.secops ? ["chronicle.googleapis.com"] : [],
    var.cloud_build ? ["cloudbuild.googleapis.com"] : [],
    local.encrypted ? ["cloudkms.googleapis.com"] : [],
    var.budget != null ? ["billingbudgets.googleapis.com"] : [],
  ))
}

resource "google_project_service" "this" {
  for_each = setunion(local.apis, local.optional_apis)

  project = var.project_id
  service = each.key

  # Others in the project may use it too.
  disable_on_destroy = false
}

# An API that has just been switched on refuses its first calls: wait until it is known everywhere.
resource "time_sleep" "apis" {
  create_duration = "60s"
  triggers        = { apis = join(",", sort([for one in google_project_service.this : one.service])) }
}
