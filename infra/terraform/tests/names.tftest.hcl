# Several meshes of a project are told apart by names and labels.
mock_provider "google" {}
mock_provider "google-beta" {}
mock_provider "time" {}

variables {
  project_id = "my-project"
  image      = "europe-west3-docker.pkg.dev/my-project/gti-mesh/gti-mesh:0.1.0"
  prefix     = "eu-"
  labels     = { team = "soc", app = "another" }
}

run "every_name_begins_with_the_prefix" {
  command = plan

  assert {
    condition = alltrue([
      for one in concat(
        values(google_cloud_run_v2_service.this), values(google_pubsub_topic.this), values(google_pubsub_subscription.this),
        values(google_cloud_scheduler_job.this),
      ) : startswith(one.name, "eu-")
    ])
    error_message = "A service, topic, subscription or schedule has a name of another mesh."
  }

  assert {
    condition     = alltrue([for one in values(google_service_account.this) : startswith(one.account_id, "eu-") && length(one.account_id) <= 30])
    error_message = "A service account has a name of another mesh, or one that is too long."
  }

  assert {
    condition = alltrue([
      for one in concat(values(google_logging_metric.counter), values(google_logging_metric.figure), [google_logging_metric.calls]) :
      startswith(one.name, "eu_gti_mesh/")
    ])
    error_message = "A metric would count the lines of several meshes."
  }

  assert {
    condition     = google_storage_bucket.landing.name == "my-project-eu-gti-mesh-landing" && google_bigquery_dataset.this.dataset_id == "eu_vt_feeds"
    error_message = "Bucket and dataset have the prefix in their own characters."
  }
}

run "everything_that_takes_labels_has_those_of_the_mesh" {
  command = plan

  assert {
    condition = alltrue([
      for one in concat(
        values(google_cloud_run_v2_service.this), values(google_pubsub_topic.this), values(google_pubsub_subscription.this),
        [google_storage_bucket.landing, google_bigquery_dataset.this],
      ) : one.labels["app"] == "gti-mesh" && one.labels["mesh"] == "eu-gti-mesh" && one.labels["team"] == "soc"
    ])
    error_message = "Labels of one's own are added, and those of the mesh stay."
  }
}

run "names_that_are_given_are_taken_as_they_are" {
  command = plan

  variables {
    landing_bucket    = "our-landing"
    dataset           = "feeds"
    vt_api_key_secret = "our-key"
  }

  assert {
    condition = (
      google_storage_bucket.landing.name == "our-landing" && google_bigquery_dataset.this.dataset_id == "feeds"
      && google_secret_manager_secret.vt_api_key.secret_id == "our-key"
    )
    error_message = "A name that is given has no prefix."
  }
}
