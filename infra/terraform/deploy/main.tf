# One mesh in one project, with every variable of the module. Copy this folder to add what is yours; the module stays as it is.
terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source = "hashicorp/google"
      # Exact, because there is no lock file in the repository: these are the versions that the tests compare with.
      version = "= 6.50.0"
    }

    google-beta = {
      source  = "hashicorp/google-beta"
      version = "= 6.50.0"
    }

    time = {
      source  = "hashicorp/time"
      version = "= 0.13.1"
    }
  }
}

# What is asked of an API counts against the project's own quota, and not against that of the operator's credentials.
provider "google" {
  billing_project       = var.project_id
  user_project_override = true
}

provider "google-beta" {
  billing_project       = var.project_id
  user_project_override = true
}

module "mesh" {
  source = "../"

  project_id               = var.project_id
  prefix                   = var.prefix
  region                   = var.region
  location                 = var.location
  image                    = var.image
  traffic                  = var.traffic
  labels                   = var.labels
  deletion_protection      = var.deletion_protection
  landing_bucket           = var.landing_bucket
  dataset                  = var.dataset
  landing_days             = var.landing_days
  history_expiry_days      = var.history_expiry_days
  storage_billing_model    = var.storage_billing_model
  feeds                    = var.feeds
  streams_to_bigquery      = var.streams_to_bigquery
  plan_back_minutes        = var.plan_back_minutes
  threat_lists             = var.threat_lists
  threat_lists_lag_minutes = var.threat_lists_lag_minutes
  vt_api_key_secret        = var.vt_api_key_secret
  vt_api_key_version       = var.vt_api_key_version
  tuning                   = var.tuning
  secops                   = var.secops
  operators                = var.operators
  analysts                 = var.analysts
  alert_emails             = var.alert_emails
  notification_channels    = var.notification_channels
  docs_url                 = var.docs_url
  secret_locations         = var.secret_locations
  message_regions          = var.message_regions
  keys                     = var.keys
  status_page_ingress      = var.status_page_ingress
  cloud_build              = var.cloud_build
  budget                   = var.budget
}
