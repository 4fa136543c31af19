# Google's own accounts. They come into being with the first use of their API, and a grant to one that does not exist is
# refused; so they are made here. Making one that exists changes nothing.
locals {
  # With a key of one's own, each service's agent encrypts with it.
  encrypting_agents = local.encrypted ? ["artifactregistry.googleapis.com", "run.googleapis.com", "secretmanager.googleapis.com"] : []
  pubsub_agent      = google_project_service_identity.this["pubsub.googleapis.com"].member
}

resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = toset(concat(["pubsub.googleapis.com"], local.encrypting_agents))

  project = var.project_id
  service = each.key

  depends_on = [time_sleep.apis]
}

# A new account is not known everywhere at once, and a grant to it is refused until it is.
resource "time_sleep" "accounts" {
  create_duration = "60s"
  triggers = {
    accounts = join(",", sort(concat(
      [for one in google_service_account.this : one.email],
      [for one in google_service_account.build : one.email],
      [google_service_account.push.email, google_service_account.scheduler.email],
      [for one in google_project_service_identity.this : one.email],
    )))
  }
}
