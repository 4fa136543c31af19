# The key itself is added by hand (gcloud secrets versions add), so that it never lies in a state file.
resource "google_secret_manager_secret" "vt_api_key" {
  secret_id = var.vt_api_key_secret

  replication {
    auto {}
  }

  depends_on = [google_project_service.this]

  lifecycle {
    prevent_destroy = true
  }
}
