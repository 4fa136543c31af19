resource "google_artifact_registry_repository" "this" {
  repository_id = "gti-mesh"
  location      = var.region
  format        = "DOCKER"
  description   = "The one image of gti-mesh."

  docker_config {
    # A tag that has run once stays what it was, so that going back is naming it.
    immutable_tags = true
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "7776000s" # 90 days
    }
  }

  depends_on = [google_project_service.this]
}
