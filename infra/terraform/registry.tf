resource "google_artifact_registry_repository" "this" {
  project       = var.project_id
  repository_id = local.name
  location      = var.region
  labels        = local.labels
  format        = "DOCKER"
  description   = "The one image of gti-mesh."
  kms_key_name  = local.encrypted ? var.keys.services : null

  docker_config {
    # A tag that has run once stays what it was, so that going back is naming it. An image with such a tag cannot be
    # deleted, by a cleanup policy neither, so there is none: releases stay.
    immutable_tags = true
  }

  depends_on = [time_sleep.apis, time_sleep.keys]
}
