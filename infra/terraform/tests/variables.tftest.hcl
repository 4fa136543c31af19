# Values that the module takes and refuses, at their limits. Run by tests/terraform/test_module.py, or by `terraform test`
# in this folder's parent.
mock_provider "google" {}
mock_provider "google-beta" {}
mock_provider "time" {}

variables {
  project_id = "my-project"
  image      = "europe-west3-docker.pkg.dev/my-project/gti-mesh/gti-mesh:0.1.0"
}

run "the_longest_values_are_taken" {
  command = plan

  variables {
    prefix              = "abcdef7-"
    landing_days        = 8
    history_expiry_days = 8
    plan_back_minutes   = 10018
    labels              = { team = "" }
    traffic             = { downloader = { LATEST = 0, downloader-00001-abc = 100 } }
    tuning              = { merge_every_minutes = 5, download_deadline_seconds = 590, merge_deadline_seconds = 1500, fold_keep_hours = 0 }
    vt_api_key_version  = "12"
  }
}

run "values_beyond_them_are_refused" {
  command = plan

  variables {
    prefix                   = "abcdef78-"
    landing_days             = 7
    plan_back_minutes        = 10019
    labels                   = { Team = "soc" }
    traffic                  = { downloader = { LATEST = 99 } }
    tuning                   = { merge_every_minutes = 20 }
    vt_api_key_version       = "0"
    threat_lists_lag_minutes = 1440
    storage_billing_model    = "physical"
  }

  expect_failures = [
    var.prefix, var.landing_days, var.plan_back_minutes, var.labels, var.traffic, var.tuning,
    var.vt_api_key_version, var.threat_lists_lag_minutes, var.storage_billing_model,
  ]
}

run "names_that_google_refuses_are_refused_here" {
  command = plan

  variables {
    project_id        = "My-project"
    prefix            = "eu"
    region            = "EU"
    location          = "eu"
    landing_bucket    = "Landing"
    dataset           = "vt-feeds"
    vt_api_key_secret = "vt api key"
    image             = "gti-mesh:latest"
  }

  expect_failures = [
    var.project_id, var.prefix, var.region, var.location, var.landing_bucket, var.dataset, var.vt_api_key_secret, var.image,
  ]
}

run "history_keeps_what_the_source_keeps" {
  command = plan

  variables {
    landing_days        = 8
    history_expiry_days = 8.5
  }

  expect_failures = [var.history_expiry_days]
}

run "history_outlives_what_has_landed" {
  command = plan

  variables {
    landing_days        = 30
    history_expiry_days = 29
  }

  expect_failures = [var.history_expiry_days]
}

run "a_feed_that_does_not_exist_is_refused" {
  command = plan

  variables {
    feeds = ["domains", "domain"]
  }

  expect_failures = [var.feeds]
}
